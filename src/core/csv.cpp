#include "leaf/core/csv.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "leaf/core/files.h"

namespace leaf {
namespace {

constexpr char kTextMark = '\'';

bool is_number(const std::string& field) {
  double number = 0;
  const char* end = field.data() + field.size();
  const auto [stop, failure] = std::from_chars(field.data(), end, number);
  return failure == std::errc{} && stop == end;
}

/// Whether a spreadsheet takes the field for a formula, or for one that is marked as text.
bool looks_like_formula(std::string_view field) {
  const auto first = field.find_first_not_of(kTextMark);
  return first != std::string_view::npos &&
         std::string_view("=+-@\t\r").find(field[first]) != std::string_view::npos;
}

std::string marked_as_text(const std::string& field) {
  return looks_like_formula(field) && !is_number(field) ? kTextMark + field : field;
}

void remove_text_mark(std::string& field) {
  if (field.starts_with(kTextMark) && looks_like_formula(field)) {
    field.erase(0, 1);
  }
}

/// The record that starts at `at`, which moves behind it: a quoted field may hold line breaks.
std::vector<std::string> parse_record(const std::string& text, std::size_t& at) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (; at < text.size() && (quoted || text[at] != '\n'); ++at) {
    if (quoted && text.compare(at, 2, "\"\"") == 0) {
      fields.back() += text[at++];
    } else if (text[at] == '"') {
      quoted = !quoted;
    } else if (text[at] == ',' && !quoted) {
      fields.emplace_back();
    } else if (quoted || text[at] != '\r' || (at + 1 < text.size() && text[at + 1] != '\n')) {
      fields.back() += text[at];
    }
  }
  ++at;
  std::for_each(fields.begin(), fields.end(), remove_text_mark);
  return fields;
}

std::string quote(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) {
    return field;
  }
  std::string quoted = "\"";
  for (const char c : field) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

}  // namespace

std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& path) {
  std::string content = read_file(path);
  if (content.starts_with("\xEF\xBB\xBF")) {  // the byte order mark that spreadsheets write
    content.erase(0, 3);
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t at = 0; at < content.size();) {
    auto fields = parse_record(content, at);
    if (fields.size() > 1 || !fields.front().empty()) {
      rows.push_back(std::move(fields));
    }
  }
  return rows;
}

std::string csv_row(const std::vector<std::string>& fields) {
  std::string row;
  for (const std::string& field : fields) {
    row += quote(marked_as_text(field));
    row += ',';
  }
  row.back() = '\n';
  return row;
}

}  // namespace leaf
