#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace leaf {

/// The rows of a comma-separated file, header included, blank lines left out. Fields may be quoted
/// as RFC 4180 says, and then hold line breaks too; FileError when the file cannot be read.
std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& path);

/// One row of at least one field, with its line break; fields that need quotes get them. A field
/// that a spreadsheet would compute instead of show (a text that begins with = + - @, a tab or a
/// carriage return) gets an apostrophe in front, which read_csv() takes off.
std::string csv_row(const std::vector<std::string>& fields);

}  // namespace leaf
