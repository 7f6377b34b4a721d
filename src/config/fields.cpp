#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

/// The last part of a dotted key, and what stands before it.
std::pair<std::string, std::string> split_key(std::string_view key) {
  const auto dot = key.rfind('.');
  if (dot == std::string_view::npos) {
    return {"", std::string(key)};
  }
  return {std::string(key.substr(0, dot)), std::string(key.substr(dot + 1))};
}

/// Names of the keys and sections directly in `section`.
std::vector<std::string> names_in(const std::vector<Field>& fields, const std::string& section) {
  std::vector<std::string> names;
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const auto& field : fields) {
    if (field.key.starts_with(prefix)) {
      std::string name = field.key.substr(prefix.size());
      name = name.substr(0, name.find('.'));
      if (names.empty() || names.back() != name) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace

void assign(const Field& field, const Value& value, std::string_view name) {
  try {
    field.set(value);
  } catch (const ConfigError& failure) {
    throw ConfigError(str(name, " ", failure.what()));
  }
}

const Field* find_field(const std::vector<Field>& fields, std::string_view key) {
  for (const auto& field : fields) {
    if (field.key == key) {
      return &field;
    }
  }
  return nullptr;
}

bool is_section(const std::vector<Field>& fields, std::string_view name) {
  if (name.empty()) {
    return true;
  }
  const std::string prefix = str(name, ".");
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return field.key.starts_with(prefix); });
}

std::string unknown_key_message(const std::vector<Field>& fields, std::string_view key) {
  const auto [section, name] = split_key(key);
  std::string hint;
  if (is_section(fields, section)) {
    hint = did_you_mean(name, names_in(fields, section));
  }
  for (const auto& field : fields) {  // the right name in the wrong section
    if (hint.empty() && field.key.ends_with("." + name)) {
      hint = str(" (did you mean '", field.key, "'?)");
    }
  }
  if (hint.empty()) {
    std::vector<std::string> keys;
    for (const auto& field : fields) {
      keys.push_back(field.key);
    }
    hint = did_you_mean(key, keys);
  }
  return str("unknown key '", key, "'", hint);
}

}  // namespace leaf::config
