#pragma once

#include <string>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {

/// The spellings of an enumeration's values, in files and on the command line.
template <typename Enum>
using EnumNames = std::vector<std::pair<Enum, std::string>>;

/// The spelling of a value. Each enumeration that has one declares `EnumNames<E> enum_names(E)`
/// beside itself.
template <typename Enum>
std::string enum_text(Enum value) {
  for (const auto& [candidate, name] : enum_names(Enum{})) {
    if (candidate == value) {
      return name;
    }
  }
  return "?";
}

/// The value of a spelling; ConfigError names the allowed ones, after `what` ("beta_schedule").
template <typename Enum>
Enum parse_enum(const std::string& text, const std::string& what) {
  std::vector<std::string> known;
  for (const auto& [value, name] : enum_names(Enum{})) {
    if (name == text) {
      return value;
    }
    known.push_back(name);
  }
  throw ConfigError(
      str(what, ": '", text, "' is not one of ", join(known, ", "), did_you_mean(text, known)));
}

}  // namespace leaf
