#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/config/config.h"

namespace leaf::config {

/// A value as text, before it has a type: one text, or a list of texts.
struct Value {
  std::vector<std::string> items;
  bool is_list = false;
};

/// One key of the configuration, bound to the member of a Config that it stands for. Everything
/// that is known about a key is declared once, in src/config/schema*.cpp; YAML files, --set,
/// --print-config, the reference in docs/configuration.md and the error messages all come from
/// there.
struct Field {
  /// Dotted: "train.learning_rate".
  std::string key;
  /// What it takes, with its range, as in "expects a number > 0".
  std::string expects;
  std::string help;
  bool is_list = false;
  /// Relative values are made absolute when they are loaded.
  bool is_path = false;
  /// Takes words, which other values are not: what tells "1" from 1 where a file does.
  bool is_text = false;
  /// A run that is continued may change it: what was learned and how it is scored stay the same.
  bool is_harmless = false;
  /// ConfigError ("expects ..., not ...", without the key) when the value has the wrong type or is
  /// out of range.
  std::function<void(const Value&)> set = {};
  std::function<Value()> get = {};
};

/// Sets a field; the ConfigError says `name`, what the key is called where the value comes from.
void assign(const Field& field, const Value& value, std::string_view name);

/// Every key, in the order of the documentation. The fields refer to `config`, which must outlive
/// them.
std::vector<Field> schema(Config& config);

/// The field of that dotted key, or nullptr.
const Field* find_field(const std::vector<Field>& fields, std::string_view key);

/// True when `name` ("model", "data.split") holds keys instead of a value; "" is the top level.
bool is_section(const std::vector<Field>& fields, std::string_view name);

/// "unknown key 'train.learing_rate' (did you mean 'learning_rate'?)".
std::string unknown_key_message(const std::vector<Field>& fields, std::string_view key);

}  // namespace leaf::config
