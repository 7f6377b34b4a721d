#include "markdown.h"

#include <array>
#include <charconv>

#include "leaf/core/strings.h"

namespace leaf::report {

std::string exact(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.begin(), text.end(), value).ptr;
  return {text.begin(), end};
}

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
