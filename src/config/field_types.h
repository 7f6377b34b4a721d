#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "leaf/config/schema.h"

namespace leaf::config {

/// An interval of numbers; `text` is how people read it.
struct Range {
  double low;
  double high;
  bool low_included;
  bool high_included;
  std::string text;

  bool contains(double value) const;
};

Range any();
Range above(double low);
Range at_least(double low);
/// low .. high, both included.
Range between(double low, double high);
/// low <= value < high.
Range from_to_below(double low, double high);

/// The spellings of an enumeration's values.
template <typename Enum>
using Names = std::vector<std::pair<Enum, std::string>>;

// One function per type of value: each binds a key to a member.
Field boolean(std::string key, bool& member, std::string help);
Field integer(std::string key, std::int64_t& member, const Range& range, std::string help);
Field seed_number(std::string key, std::uint64_t& member, std::string help);
Field number(std::string key, double& member, const Range& range, std::string help);
Field text(std::string key, std::string& member, std::string help);
Field path(std::string key, std::filesystem::path& member, std::string help);
Field path_list(std::string key, std::vector<std::filesystem::path>& member, std::string help);
Field integer_list(std::string key, std::vector<std::int64_t>& member, std::string help);
/// A text that is one of `names`.
Field word(std::string key, std::string& member, const std::vector<std::string>& names,
           std::string help);

/// The index of the value in `names`; ConfigError when it is none of them.
std::size_t parse_choice(const Field& field, const Value& value,
                         const std::vector<std::string>& names);
std::string choice_text(const std::vector<std::string>& names);

template <typename Enum>
Field choice(std::string key, Enum& member, const Names<Enum>& names, std::string help) {
  std::vector<std::string> spellings;
  for (const auto& [value, spelling] : names) {
    spellings.push_back(spelling);
  }
  Field field{.key = std::move(key), .expects = choice_text(spellings), .help = std::move(help)};
  field.set = [&member, names, spellings, declared = field](const Value& value) {
    member = names[parse_choice(declared, value, spellings)].first;
  };
  field.get = [&member, names]() -> Value {
    for (const auto& [value, spelling] : names) {
      if (value == member) {
        return {{spelling}};
      }
    }
    return {};
  };
  return field;
}

}  // namespace leaf::config
