#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace leaf {

/// The rows of a comma-separated file in UTF-8, header included, blank lines left out. Blanks round
/// a field are no part of it. Fields may be quoted as RFC 4180 says, and then keep their blanks and
/// hold line breaks too. Lines end as on Unix, Windows or old Macs; a byte order mark is passed
/// over. Throws FileError when the file cannot be read, DataError naming the line for quotes that
/// make no sense.
std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& path);

/// The columns that are wanted of a table, in lower case.
struct TableColumns {
  std::vector<std::string> names;
  /// A file of as many columns may call them otherwise: then their order counts.
  bool other_names = false;
};

/// The wanted fields of a row, and the line of the file (from 1) that the row begins in.
struct TableRow {
  std::size_t line = 0;
  std::vector<std::string> fields;
};

struct Table {
  TableRow header;  ///< the names of the wanted columns as the file has them
  std::vector<TableRow> rows;
};

/// Reads a comma-separated file whose first line names its columns, which may stand in any order
/// and in upper or lower case; further columns are mentioned and passed over. Errors as read_csv,
/// and a DataError naming the line for a header without the wanted columns and for rows that are
/// shorter or longer than it.
Table read_table(const std::filesystem::path& path, const TableColumns& columns);

/// One row of at least one field, with its line break; fields that need quotes get them. A field
/// that a spreadsheet would compute instead of show (a text that begins with = + - @, a tab or a
/// carriage return) gets an apostrophe in front, which read_csv() and read_table() take off.
std::string csv_row(const std::vector<std::string>& fields);

}  // namespace leaf
