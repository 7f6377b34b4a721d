#include "json_util.h"

#include <set>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::io {
namespace {

using Json = nlohmann::json;

[[noreturn]] void bad_json(const std::filesystem::path& path, std::string_view reason) {
  throw WeightsError(str("cannot read '", path.string(), "': ", reason));
}

/// Twenty thousand tensors take a fifth of these; that many values take some hundred megabytes.
constexpr std::size_t kMostValues = 2'000'000;

/// Stops the parser at what its own rules let pass: keys named twice, bottomless nesting, and more
/// values than a weight file has use for (each takes many times the memory of its text).
class StrictRules {
 public:
  explicit StrictRules(const std::filesystem::path& path) : path_(path) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    constexpr int kDeepest = 8;
    if (depth > kDeepest) {
      bad_json(path_, "its JSON nests too deeply");
    }
    if (++values_ > kMostValues) {
      bad_json(path_, "its JSON has too many values");
    }
    const auto level = static_cast<std::size_t>(depth);
    if (event == Json::parse_event_t::object_start) {
      keys_.resize(level + 2);
      keys_[level + 1].clear();
    } else if (event == Json::parse_event_t::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!keys_[level].insert(name).second) {
        bad_json(path_, str("'", printable(name), "' is named twice in its JSON"));
      }
    }
    return true;
  }

 private:
  const std::filesystem::path& path_;
  std::vector<std::set<std::string>> keys_;
  std::size_t values_ = 0;
};

}  // namespace

Json parse_json_object(std::string_view text, const std::filesystem::path& path) {
  StrictRules rules(path);
  const Json::parser_callback_t callback = [&](int depth, Json::parse_event_t event, Json& parsed) {
    return rules(depth, event, parsed);
  };
  Json value;
  try {
    value = Json::parse(text.begin(), text.end(), callback);
  } catch (const Json::exception& error) {
    bad_json(path, str("its JSON is damaged: ", printable(error.what())));
  }
  if (!value.is_object()) {
    bad_json(path, "its JSON is not an object");
  }
  return value;
}

}  // namespace leaf::io
