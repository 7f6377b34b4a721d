#include "variables.h"

#include <cstdlib>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

struct Variable {
  std::string name;
  std::string value;
  bool from_environment;  ///< otherwise `value` is the default
};

/// What stands between the braces.
Variable read_variable(const std::string& inside) {
  const auto mark = inside.find(":-");
  const std::string name = inside.substr(0, mark);
  const char* value = std::getenv(name.c_str());
  const bool has_default = mark != std::string::npos;
  if (value != nullptr && (!has_default || *value != '\0')) {
    return {name, value, true};
  }
  if (has_default) {
    return {name, inside.substr(mark + 2), false};
  }
  throw ConfigError(str("the environment variable '", name, "' is not set: set it, or write ${",
                        name, ":-default}"));
}

}  // namespace

Expanded expand_variables(const std::string& text) {
  Expanded result;
  std::size_t done = 0;
  for (auto open = text.find("${"); open != std::string::npos; open = text.find("${", done)) {
    if (open > done && text[open - 1] == '$') {
      result.text += text.substr(done, open - 1 - done) + "${";
      done = open + 2;
      continue;
    }
    const auto close = text.find('}', open);
    if (close == std::string::npos) {
      throw ConfigError(str("'", text, "': a '${' without its '}' (write $${ for a literal ${)"));
    }
    const std::string inside = text.substr(open + 2, close - open - 2);
    if (inside.find("${") != std::string::npos) {
      throw ConfigError(str("'", text,
                            "': a variable's default holds no other variable; write out ",
                            "one of the two"));
    }
    const Variable variable = read_variable(inside);
    result.text += text.substr(done, open - done) + variable.value;
    result.starts_with_variable |= open == 0 && variable.from_environment;
    if (!variable.from_environment && result.unset.empty()) {
      result.unset = variable.name;
    }
    done = close + 1;
  }
  result.text += text.substr(done);
  return result;
}

std::string escape_variables(const std::string& text) {
  std::string escaped;
  std::size_t done = 0;
  for (auto open = text.find("${"); open != std::string::npos; open = text.find("${", done)) {
    escaped += text.substr(done, open - done) + "$${";
    done = open + 2;
  }
  return escaped + text.substr(done);
}

}  // namespace leaf::config
