#include "checkpoint_names.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <variant>

#include "leaf/core/strings.h"
#include "weight_file.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestDict = 32;
constexpr std::size_t kMostTensors = 100'000;
constexpr std::size_t kMostEntries = 2'000'000;

/// Names of the tensors in nested dictionaries.
class Collector {
 public:
  Collector(const pickle::Pickle& content, const fs::path& path) : content_(content), path_(path) {}

  NamedTensors run() {
    const auto* const top = as_dict(content_.root);
    if (top) {
      const pickle::Dict* const lightning = state_dict_of(*top);
      visit(lightning ? *lightning : *top, "", 0);
    }
    if (result_.found.empty()) {
      bad_weights(path_, "it holds no dictionary of tensors" + foreign_text());
    }
    return std::move(result_);
  }

 private:
  const pickle::Dict* as_dict(pickle::Ref ref) const {
    return std::get_if<pickle::Dict>(&content_.values[ref]);
  }

  const pickle::Dict* state_dict_of(const pickle::Dict& dict) const {
    for (const auto& [key, value] : dict.items) {
      const auto* const name = std::get_if<std::string>(&content_.values[key]);
      if (name && *name == "state_dict" && as_dict(value)) {
        return as_dict(value);
      }
    }
    return nullptr;
  }

  void visit(const pickle::Dict& dict, const std::string& prefix, int depth) {
    if (depth > kDeepestDict) {
      bad_weights(path_, "its dictionaries nest too deeply");
    }
    for (const auto& [key, value] : dict.items) {
      if (++visited_ > kMostEntries) {
        bad_weights(path_, "its dictionaries have too many entries");
      }
      if (const auto name = entry_name(key)) {
        visit_entry(prefix, *name, value, depth);
      }
    }
  }

  void visit_entry(const std::string& prefix, const std::string& name, pickle::Ref ref, int depth) {
    const pickle::Value& value = content_.values[ref];
    if (const auto* const nested = std::get_if<pickle::Dict>(&value)) {
      visit(*nested, full_name(prefix, name) + ".", depth + 1);
    } else if (const auto* const tensor = std::get_if<pickle::Tensor>(&value)) {
      add(full_name(prefix, name), *tensor);
    } else if (const auto* const other = std::get_if<pickle::Opaque>(&value);
               other && other->is_tensor) {
      pass_over(full_name(prefix, name), *other);
    }
  }

  void pass_over(const std::string& name, const pickle::Opaque& value) {
    constexpr std::size_t kShown = 5;
    if (++result_.passed_over_count <= kShown) {
      result_.passed_over.push_back(str(printable(name), ": ", printable(value.what)));
    }
  }

  std::string full_name(const std::string& prefix, const std::string& name) const {
    std::string full = prefix + name;
    if (full.size() > kLongestName) {
      bad_weights(path_, str("the name '", printable(full), "' is too long"));
    }
    return full;
  }

  void add(const std::string& name, const pickle::Tensor& tensor) {
    if (result_.found.size() >= kMostTensors) {
      bad_weights(path_, "it has too many tensors");
    }
    if (!result_.found.emplace(name, &tensor).second) {
      bad_weights(path_, str("two tensors are named '", printable(name), "'"));
    }
  }

  std::optional<std::string> entry_name(pickle::Ref key) const {
    const pickle::Value& value = content_.values[key];
    if (const auto* const text = std::get_if<std::string>(&value)) {
      return text->substr(0, kLongestName + 1);
    }
    if (const auto* const number = std::get_if<std::int64_t>(&value)) {
      return std::to_string(*number);
    }
    return std::nullopt;
  }

  std::string foreign_text() const {
    const auto& names = content_.foreign;
    if (names.empty()) {
      return "";
    }
    const std::vector<std::string> shown(
        names.begin(), std::next(names.begin(), std::min<long>(3, std::ssize(names))));
    return str(" but objects that only Python could make (", printable(join(shown, ", ")),
               "): save model.state_dict() instead");
  }

  const pickle::Pickle& content_;
  const fs::path& path_;
  NamedTensors result_;
  std::size_t visited_ = 0;
};

}  // namespace

NamedTensors name_tensors(const pickle::Pickle& content, const fs::path& path) {
  return Collector(content, path).run();
}

}  // namespace leaf::io
