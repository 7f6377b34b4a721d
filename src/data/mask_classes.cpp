#include "leaf/data/mask_classes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace {

constexpr const char* kBackground = "background";
constexpr const char* kIgnore = "ignore";
constexpr ClassValue kLargestNumber = 65535;

/// An item as it was written: the name and what stands behind '='.
struct Item {
  std::string name;
  std::optional<std::string> values;
};

Item parse_item(const std::string& text) {
  const std::size_t equals = text.find('=');
  Item item{text.substr(0, equals), std::nullopt};
  if (equals != std::string::npos) {
    item.values = text.substr(equals + 1);
  }
  constexpr std::string_view kInNames =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (item.name.empty() || item.name.find_first_not_of(kInNames) != std::string::npos) {
    throw ConfigError(str("expects NAME or NAME=VALUE, the name of letters, digits, _ and -, not '",
                          printable(text), "'"));
  }
  return item;
}

std::optional<ClassValue> number_of(std::string_view text, int base, ClassValue largest) {
  ClassValue value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, base);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end && value <= largest;
  return whole ? std::optional(value) : std::nullopt;
}

bool is_colour(const std::string& text) { return text.starts_with('#'); }

ClassValue parse_value(const std::string& text, const std::string& name) {
  constexpr std::size_t kDigits = 6;
  const auto value = is_colour(text) && text.size() == kDigits + 1
                         ? number_of(text.substr(1), 16, 0xFFFFFF)
                         : number_of(text, 10, kLargestNumber);
  if (!value) {
    throw ConfigError(str("expects whole numbers from 0 to ", kLargestNumber,
                          " or colours #rrggbb, joined by +, not '", printable(text), "' for '",
                          name, "'"));
  }
  return *value;
}

/// Reads the values of an item; `kinds` remembers which kinds of values there were: numbers,
/// colours.
std::vector<ClassValue> parse_values(const Item& item, std::array<bool, 2>& kinds) {
  std::vector<ClassValue> values;
  std::istringstream words(*item.values);
  for (std::string word; std::getline(words, word, '+');) {
    kinds[is_colour(word) ? 1 : 0] = true;
    values.push_back(parse_value(word, item.name));
  }
  if (values.empty()) {
    throw ConfigError(str("has no value for '", item.name, "'"));
  }
  return values;
}

void require_distinct_names(const MaskClasses& classes) {
  const std::vector<std::string> names = class_names(classes);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw ConfigError(str("has the class '", names[i], "' twice"));
    }
    if (i > 0 && names[i] == kBackground) {
      throw ConfigError("has the background in another place than the first; put it there");
    }
  }
}

void require_distinct_values(const MaskClasses& classes) {
  std::map<ClassValue, std::string> owner;
  const auto take = [&](const std::string& name, const std::vector<ClassValue>& values) {
    for (const ClassValue value : values) {
      const auto [other, is_new] = owner.emplace(value, name);
      if (!is_new) {
        throw ConfigError(str("has the value ", value_text(value, classes.are_colours), " for '",
                              other->second, "' and for '", name,
                              "'; a value stands for one class"));
      }
    }
  };
  for (const MaskClass& each : classes.list) {
    take(each.name, each.values);
  }
  take(kIgnore, classes.ignored);
}

void require_count(const MaskClasses& classes) {
  const std::size_t count = classes.list.size();
  if (count < 2) {
    throw ConfigError("expects two classes or more, the first of them the background");
  }
  if (count > kMostClasses) {
    throw ConfigError(str("has ", count, " classes; at most ", kMostClasses,
                          ", the background among them, have colours that are far enough apart"));
  }
}

/// Two names stand for what a threshold divides.
MaskClasses named_classes(const std::vector<Item>& items) {
  MaskClasses classes;
  classes.list.clear();
  for (const Item& item : items) {
    if (item.name == kIgnore) {
      throw ConfigError("has 'ignore' without a value; two names alone are classes by threshold");
    }
    classes.list.push_back({item.name, {}});
  }
  require_count(classes);
  if (classes.several()) {
    throw ConfigError(str("expects NAME=VALUE for each of ", classes.list.size(),
                          " classes; two names alone are classes by threshold"));
  }
  return classes;
}

MaskClasses valued_classes(const std::vector<Item>& items) {
  MaskClasses classes;
  classes.list.clear();
  std::array<bool, 2> kinds{};
  for (const Item& item : items) {
    if (!item.values) {
      throw ConfigError(str("has no value for '", item.name, "', but for others"));
    }
    const std::vector<ClassValue> values = parse_values(item, kinds);
    if (item.name == kIgnore) {
      classes.ignored.insert(classes.ignored.end(), values.begin(), values.end());
    } else {
      classes.list.push_back({item.name, values});
    }
  }
  if (kinds[0] && kinds[1]) {
    throw ConfigError("has numbers and colours; give one kind of values for all classes");
  }
  classes.are_colours = kinds[1];
  require_count(classes);
  require_distinct_values(classes);
  return classes;
}

std::string item_text(const std::string& name, const std::vector<ClassValue>& values,
                      bool are_colours) {
  std::vector<std::string> texts;
  for (const ClassValue value : values) {
    texts.push_back(value_text(value, are_colours));
  }
  return texts.empty() ? name : str(name, "=", join(texts, "+"));
}

}  // namespace

MaskClasses parse_classes(const std::vector<std::string>& items) {
  std::vector<Item> parsed;
  std::transform(items.begin(), items.end(), std::back_inserter(parsed), parse_item);
  const bool valued = std::any_of(parsed.begin(), parsed.end(),
                                  [](const Item& item) { return item.values.has_value(); });
  MaskClasses classes = valued ? valued_classes(parsed) : named_classes(parsed);
  require_distinct_names(classes);
  return classes;
}

std::vector<std::string> class_items(const MaskClasses& classes) {
  std::vector<std::string> items;
  for (const MaskClass& each : classes.list) {
    items.push_back(item_text(each.name, each.values, classes.are_colours));
  }
  if (!classes.ignored.empty()) {
    items.push_back(item_text(kIgnore, classes.ignored, classes.are_colours));
  }
  return items;
}

std::vector<std::string> class_names(const MaskClasses& classes) {
  std::vector<std::string> names;
  for (const MaskClass& each : classes.list) {
    names.push_back(each.name);
  }
  return names;
}

std::string value_text(ClassValue value, bool is_colour) {
  if (!is_colour) {
    return std::to_string(value);
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "#";
  for (int shift = 20; shift >= 0; shift -= 4) {
    text += kDigits[value >> static_cast<unsigned>(shift) & 15U];
  }
  return text;
}

}  // namespace leaf::data
