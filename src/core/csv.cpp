#include "leaf/core/csv.h"

#include <sstream>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

std::vector<std::string> parse_row(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool doubled = quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"';
    if (doubled) {
      fields.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
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
  std::istringstream lines(content);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    if (!line.empty()) {
      rows.push_back(parse_row(line));
    }
  }
  return rows;
}

std::string csv_row(const std::vector<std::string>& fields) {
  std::vector<std::string> quoted;
  for (const std::string& field : fields) {
    quoted.push_back(quote(field));
  }
  return join(quoted, ",") + '\n';
}

}  // namespace leaf
