#include "pipeline/model/json_keys.h"

#include <string>
#include <vector>

#include "config/schema.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
using nlohmann::json;
namespace {

/// As a configuration has it. A word stays in quotes, which no number has, where none is expected.
std::string text_of(const json& value, const config::Field& field) {
  return field.is_text && value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

config::Value value_of(const json& content, const config::Field& field) {
  config::Value value{.items = {}, .is_list = content.is_array()};
  if (!value.is_list) {
    value.items.push_back(text_of(content, field));
  }
  for (const json& item : value.is_list ? content : json::array()) {
    value.items.push_back(text_of(item, field));
  }
  return value;
}

void read_keys(const json& content, std::span<const JsonKey> keys, Config& config) {
  const std::vector<config::Field> fields = config::schema(config);
  for (const auto& [name, key, required] : keys) {
    if (content.contains(name)) {
      const config::Field& field = *config::find_field(fields, key);
      if (field.is_list && !content.at(name).is_array()) {
        throw ConfigError(str(name, " expects ", field.expects));
      }
      assign(field, value_of(content.at(name), field), name);
    } else if (required) {
      throw WeightsError(str("it lacks ", name));
    }
  }
}

void require_fixed(const json& content, const std::vector<FixedValue>& fixed) {
  for (const auto& [name, value] : fixed) {
    if (content.contains(name) && content.at(name) != value) {
      throw WeightsError(str(name, " is ", printable(content.at(name).dump()), "; only ",
                             value.dump(), " is supported"));
    }
  }
}

}  // namespace leaf
