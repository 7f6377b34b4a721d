#include "config/field_types.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

[[noreturn]] void refuse(const Field& field, const std::string& given,
                         const std::string& hint = {}) {
  throw ConfigError(str("expects ", field.expects, ", not '", printable(given), "'", hint));
}

const std::string& single(const Field& field, const Value& value) {
  if (value.is_list) {
    throw ConfigError(str("expects ", field.expects, ", not a list"));
  }
  return value.items.front();
}

/// Reads the whole text as a T or refuses it.
template <typename T>
T parse_number(const Field& field, const std::string& given) {
  T parsed{};
  const char* end = given.data() + given.size();
  const auto [stop, failure] = std::from_chars(given.data(), end, parsed);
  if (failure != std::errc{} || stop != end) {
    refuse(field, given);
  }
  return parsed;
}

/// Nothing that is counted comes near it, and products of two such numbers are still numbers.
constexpr std::int64_t kLargestCount = 1'000'000'000;

template <typename T>
T parse_in_range(const Field& field, const std::string& given, const Range& range) {
  const T parsed = parse_number<T>(field, given);
  if (!range.contains(static_cast<double>(parsed))) {
    refuse(field, given);
  }
  if (std::is_same_v<T, std::int64_t> && parsed > kLargestCount) {
    refuse(field, given, str(" (more than ", kLargestCount, ")"));
  }
  return parsed;
}

/// The shortest text that reads back as the same number.
template <typename T>
std::string number_text(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return {buffer, end};
}

template <typename T>
Field numeric(Field field, T& member, const Range& range) {
  field.set = [&member, range, declared = field](const Value& value) {
    member = parse_in_range<T>(declared, single(declared, value), range);
  };
  field.get = [&member]() -> Value { return {{number_text(member)}}; };
  return field;
}

}  // namespace

bool Range::contains(double value) const {
  return std::isfinite(value) && (low_included ? value >= low : value > low) &&
         (high_included ? value <= high : value < high);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Range any() { return {-kInfinity, kInfinity, true, true, ""}; }
Range above(double low) { return {low, kInfinity, false, true, str(" > ", number_text(low))}; }
Range at_least(double low) { return {low, kInfinity, true, true, str(" >= ", number_text(low))}; }
Range between(double low, double high) {
  return {low, high, true, true, str(" from ", number_text(low), " to ", number_text(high))};
}
Range from_to_below(double low, double high) {
  return {low, high, true, false, str(" >= ", number_text(low), " and < ", number_text(high))};
}

Field boolean(std::string key, bool& member, std::string help) {
  Field field{.key = std::move(key), .expects = "true or false", .help = std::move(help)};
  field.set = [&member, declared = field](const Value& value) {
    const std::string& given = single(declared, value);
    if (given != "true" && given != "false") {
      refuse(declared, given);
    }
    member = given == "true";
  };
  field.get = [&member]() -> Value { return {{member ? "true" : "false"}}; };
  return field;
}

Field integer(std::string key, std::int64_t& member, const Range& range, std::string help) {
  return numeric(Field{.key = std::move(key),
                       .expects = str("a whole number", range.text),
                       .help = std::move(help)},
                 member, range);
}

Field seed_number(std::string key, std::uint64_t& member, std::string help) {
  return numeric(
      Field{.key = std::move(key), .expects = "a whole number >= 0", .help = std::move(help)},
      member, at_least(0));
}

Field number(std::string key, double& member, const Range& range, std::string help) {
  return numeric(
      Field{.key = std::move(key), .expects = str("a number", range.text), .help = std::move(help)},
      member, range);
}

Field harmless(Field field) {
  field.is_harmless = true;
  return field;
}

Field text(std::string key, std::string& member, std::string help) {
  Field field{.key = std::move(key), .expects = "a text", .help = std::move(help), .is_text = true};
  field.set = [&member, declared = field](const Value& value) { member = single(declared, value); };
  field.get = [&member]() -> Value { return {{member}}; };
  return field;
}

Field path(std::string key, std::filesystem::path& member, std::string help) {
  Field field{.key = std::move(key),
              .expects = "a path",
              .help = std::move(help),
              .is_path = true,
              .is_text = true};
  field.set = [&member, declared = field](const Value& value) { member = single(declared, value); };
  field.get = [&member]() -> Value { return {{member.string()}}; };
  return field;
}

Field path_list(std::string key, std::vector<std::filesystem::path>& member, std::string help) {
  Field field{.key = std::move(key),
              .expects = "a path or a list of paths",
              .help = std::move(help),
              .is_list = true,
              .is_path = true,
              .is_text = true};
  field.set = [&member](const Value& value) {
    member.assign(value.items.begin(), value.items.end());
  };
  field.get = [&member]() -> Value {
    Value value{.items = {}, .is_list = true};
    for (const auto& item : member) {
      value.items.push_back(item.string());
    }
    return value;
  };
  return field;
}

Field integer_list(std::string key, std::vector<std::int64_t>& member, std::string help) {
  Field field{.key = std::move(key),
              .expects = "a list of whole numbers >= 1",
              .help = std::move(help),
              .is_list = true};
  field.set = [&member, declared = field](const Value& value) {
    std::vector<std::int64_t> parsed;
    for (const auto& item : value.items) {
      parsed.push_back(parse_in_range<std::int64_t>(declared, item, at_least(1)));
    }
    member = std::move(parsed);
  };
  field.get = [&member]() -> Value {
    Value value{.items = {}, .is_list = true};
    for (const auto item : member) {
      value.items.push_back(number_text(item));
    }
    return value;
  };
  return field;
}

Field number_pair(std::string key, double& low, double& high, std::string help) {
  Field field{.key = std::move(key),
              .expects = "a list of two numbers, or none",
              .help = std::move(help),
              .is_list = true};
  field.set = [&low, &high, declared = field](const Value& value) {
    if (value.items.size() != 2 && !value.items.empty()) {
      refuse(declared, join(value.items, ", "));
    }
    const bool given = !value.items.empty();
    low = given ? parse_in_range<double>(declared, value.items[0], any()) : 0;
    high = given ? parse_in_range<double>(declared, value.items[1], any()) : 0;
  };
  field.get = [&low, &high]() -> Value {
    const bool given = low != 0 || high != 0;
    return {given ? std::vector<std::string>{number_text(low), number_text(high)}
                  : std::vector<std::string>{},
            true};
  };
  return field;
}

Field class_list(std::string key, data::MaskClasses& member, std::string help) {
  Field field{.key = std::move(key),
              .expects = "a list of classes",
              .help = std::move(help),
              .is_list = true,
              .is_text = true};
  field.set = [&member](const Value& value) {
    data::MaskClasses parsed = data::parse_classes(value.items);
    parsed.coding = member.coding;
    member = std::move(parsed);
  };
  field.get = [&member]() -> Value { return {data::class_items(member), true}; };
  return field;
}

Field word(std::string key, std::string& member, const std::vector<std::string>& names,
           std::string help) {
  Field field{.key = std::move(key),
              .expects = choice_text(names),
              .help = std::move(help),
              .is_text = true};
  field.set = [&member, names, declared = field](const Value& value) {
    member = names[parse_choice(declared, value, names)];
  };
  field.get = [&member]() -> Value { return {{member}}; };
  return field;
}

std::size_t parse_choice(const Field& field, const Value& value,
                         const std::vector<std::string>& names) {
  const std::string& given = single(field, value);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == given) {
      return i;
    }
  }
  refuse(field, given, did_you_mean(given, names));
}

std::string choice_text(const std::vector<std::string>& names) {
  return str("one of ", join(names, ", "));
}

}  // namespace leaf::config
