#include "markdown.h"

#include "leaf/core/strings.h"

namespace leaf::report {

std::string markdown(const std::string& name) {
  std::string text;
  for (const char c : name) {
    text += c == '|' ? "\\|" : std::string(1, c);
  }
  return text;
}

std::string markdown_row(const std::vector<std::string>& fields) {
  return str("| ", join(fields, " | "), " |\n");
}

std::string markdown_rule(std::size_t columns) {
  return markdown_row(std::vector<std::string>(columns, "---"));
}

}  // namespace leaf::report
