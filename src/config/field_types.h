#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "leaf/core/enum_names.h"
#include "leaf/data/mask_classes.h"

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

/// Marks a field as one that a continued run may change.
Field harmless(Field field);

// One function per type of value: each binds a key to a member.
Field boolean(std::string key, bool& member, std::string help);
Field integer(std::string key, std::int64_t& member, const Range& range, std::string help);
Field seed_number(std::string key, std::uint64_t& member, std::string help);
Field number(std::string key, double& member, const Range& range, std::string help);
Field text(std::string key, std::string& member, std::string help);
Field path(std::string key, std::filesystem::path& member, std::string help);
Field path_list(std::string key, std::vector<std::filesystem::path>& member, std::string help);
Field integer_list(std::string key, std::vector<std::int64_t>& member, std::string help);
/// Two numbers [low, high]; an empty list stands for 0 and 0.
Field number_pair(std::string key, double& low, double& high, std::string help);
/// The classes of masks but how they are coded, as data::parse_classes() reads them.
Field class_list(std::string key, data::MaskClasses& member, std::string help);
/// The index of the value in `names`; throws ConfigError when it is none of them.
std::size_t parse_choice(const Field& field, const Value& value,
                         const std::vector<std::string>& names);
std::string choice_text(const std::vector<std::string>& names);

/// A text that is one of `names`.
Field word(std::string key, std::string& member, const std::vector<std::string>& names,
           std::string help);

/// The same for an enumeration, under names of the key's own.
template <typename Enum>
Field choice(std::string key, Enum& member, const EnumNames<Enum>& values, std::string help) {
  std::vector<std::string> names;
  for (const auto& [value, name] : values) {
    names.push_back(name);
  }
  Field field{.key = std::move(key),
              .expects = choice_text(names),
              .help = std::move(help),
              .is_text = true};
  field.set = [&member, values, names, declared = field](const Value& value) {
    member = values[parse_choice(declared, value, names)].first;
  };
  field.get = [&member, values]() -> Value {
    const auto is_member = [&](const auto& entry) { return entry.first == member; };
    return {{std::find_if(values.begin(), values.end(), is_member)->second}};
  };
  return field;
}

/// The same under its enum_names().
template <typename Enum>
Field choice(std::string key, Enum& member, std::string help) {
  return choice(std::move(key), member, enum_names(Enum{}), std::move(help));
}

}  // namespace leaf::config
