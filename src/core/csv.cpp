#include "core/csv.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

[[noreturn]] void fail(const fs::path& path, std::size_t line, const std::string& reason) {
  throw DataError(str("'", path.string(), "' line ", line, ": ", reason));
}

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

std::string without_text_mark(std::string field) {
  if (field.starts_with(kTextMark) && looks_like_formula(field)) {
    field.erase(0, 1);
  }
  return field;
}

/// Reads records one after the other. Blanks round a field are no part of it, those within quotes
/// are; a quoted field may hold line breaks.
class CsvParser {
 public:
  CsvParser(const fs::path& path, std::string_view text) : path_(path), text_(text) {}

  bool at_end() const { return at_ == text_.size(); }

  TableRow record() {
    TableRow row{line_, {}};
    do {
      skip_blanks();
      row.fields.push_back(without_text_mark(peek('"') ? quoted_field() : plain_field()));
    } while (take(','));
    take_line_end();
    return row;
  }

 private:
  bool peek(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool take(char c) {
    const bool there = peek(c);
    at_ += there ? 1 : 0;
    return there;
  }

  bool at_line_end() const { return at_end() || peek('\n') || peek('\r'); }

  void take_line_end() {
    const bool carriage_return = take('\r');
    const bool line_feed = take('\n');
    line_ += carriage_return || line_feed ? 1 : 0;
  }

  void skip_blanks() {
    for (;;) {
      if (text_.substr(at_).starts_with(kNoBreakSpace)) {
        at_ += kNoBreakSpace.size();
      } else if (!take(' ') && !take('\t')) {
        return;
      }
    }
  }

  std::string plain_field() {
    std::string field;
    while (!at_line_end() && !peek(',')) {
      field += text_[at_++];
    }
    for (;;) {
      if (field.ends_with(kNoBreakSpace)) {
        field.resize(field.size() - kNoBreakSpace.size());
      } else if (field.ends_with(' ') || field.ends_with('\t')) {
        field.pop_back();
      } else {
        return field;
      }
    }
  }

  std::string quoted_field() {
    const std::size_t first_line = line_;
    std::string field;
    ++at_;
    for (; !at_end() && !(peek('"') && !text_.substr(at_).starts_with("\"\"")); ++at_) {
      at_ += peek('"') ? 1 : 0;  // two stand for one
      line_ += peek('\n') ? 1 : 0;
      field += text_[at_];
    }
    if (!take('"')) {
      fail(path_, first_line, "a quote (\") that begins here is not closed");
    }
    skip_blanks();
    if (!at_line_end() && !peek(',')) {
      fail(path_, line_, "text behind a closing quote (\"); put the whole field in quotes");
    }
    return field;
  }

  const fs::path& path_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

bool is_blank(const TableRow& row) {
  return std::all_of(row.fields.begin(), row.fields.end(),
                     [](const std::string& field) { return field.empty(); });
}

std::vector<TableRow> read_rows(const fs::path& path) {
  const std::string content = read_file(path);
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF")) {
    throw DataError(str("'", path.string(), "' is UTF-16; save it as CSV in UTF-8"));
  }
  std::string_view text = content;
  text.remove_prefix(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  std::vector<TableRow> rows;
  for (CsvParser parser(path, text); !parser.at_end();) {
    TableRow row = parser.record();
    if (row.fields.size() > 1 || !row.fields.front().empty()) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::optional<std::size_t> place_of(const std::string& column, const TableRow& header) {
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    if (to_lower(header.fields[i]) == column) {
      return i;
    }
  }
  return std::nullopt;
}

[[noreturn]] void refuse_header(const fs::path& path, const TableRow& header,
                                const std::string& wanted) {
  const std::string& first = header.fields.front();
  const auto other = first.find_first_of(";\t");
  const std::string hint =
      header.fields.size() == 1 && other != std::string::npos
          ? str("; its columns are separated by ", first[other] == ';' ? "semicolons" : "tabs",
                ", save it with commas")
          : "";
  fail(path, header.line,
       str("the first line must name the columns ", wanted, ", not '",
           printable(join(header.fields, ",")), "'", hint));
}

/// Where the wanted columns stand; those that nobody asked for are mentioned.
std::vector<std::size_t> find_columns(const fs::path& path, const TableRow& header,
                                      const TableColumns& columns) {
  const std::string wanted = join(columns.names, ",");
  std::vector<std::size_t> places;
  for (const std::string& name : columns.names) {
    if (const auto place = place_of(name, header)) {
      places.push_back(*place);
    }
  }
  if (places.size() < columns.names.size()) {
    if (!columns.other_names || header.fields.size() != columns.names.size()) {
      refuse_header(path, header, wanted);
    }
    places.resize(columns.names.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      places[i] = i;
    }
  }
  if (header.fields.size() > places.size()) {
    log::info(str("of '", path.string(), "' the columns ", wanted, " are used, of '",
                  printable(join(header.fields, ",")), "'"));
  }
  return places;
}

/// Spreadsheets end lines in commas for columns that are empty throughout.
void drop_empty_end(TableRow& row, std::size_t columns) {
  while (row.fields.size() > columns && row.fields.back().empty()) {
    row.fields.pop_back();
  }
}

TableRow select(const TableRow& row, const std::vector<std::size_t>& places) {
  TableRow selected{row.line, {}};
  for (const std::size_t place : places) {
    selected.fields.push_back(row.fields[place]);
  }
  return selected;
}

std::string quote(const std::string& field) {
  const bool blank_end = field.starts_with(' ') || field.ends_with(' ') ||
                         field.starts_with('\t') || field.ends_with('\t') ||
                         field.starts_with(kNoBreakSpace) || field.ends_with(kNoBreakSpace);
  if (!blank_end && field.find_first_of(",\"\r\n") == std::string::npos) {
    return field;
  }
  std::string quoted = "\"";
  for (const char c : field) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

}  // namespace

std::vector<std::vector<std::string>> read_csv(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  for (TableRow& row : read_rows(path)) {
    rows.push_back(std::move(row.fields));
  }
  return rows;
}

Table read_table(const fs::path& path, const TableColumns& columns) {
  std::vector<TableRow> rows = read_rows(path);
  if (rows.empty()) {
    throw DataError(str("'", path.string(), "' is empty; it must name the columns ",
                        join(columns.names, ","), " in its first line"));
  }
  TableRow& header = rows.front();
  drop_empty_end(header, 1);
  const std::vector<std::size_t> places = find_columns(path, header, columns);
  Table table{select(header, places), {}};
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    if (is_blank(*row)) {
      continue;
    }
    drop_empty_end(*row, header.fields.size());
    if (row->fields.size() != header.fields.size()) {
      fail(path, row->line,
           str("expected ", join(header.fields, ","), ", found ", row->fields.size(),
               row->fields.size() == 1 ? " field" : " fields"));
    }
    table.rows.push_back(select(*row, places));
  }
  return table;
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
