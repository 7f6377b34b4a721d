#pragma once

#include <string>

namespace leaf::config {

struct Expanded {
  std::string text;
  /// True when the text begins with a value from the environment.
  bool starts_with_variable = false;
  /// The first variable whose default stands in for it; empty without one.
  std::string unset;
};

/// Replaces ${VAR} and ${VAR:-default} (the default also serves an empty variable); $${ stands for
/// a literal ${. Throws ConfigError for a variable that is not set and for a missing brace.
Expanded expand_variables(const std::string& text);

/// The text that expand_variables() turns into `text`.
std::string escape_variables(const std::string& text);

}  // namespace leaf::config
