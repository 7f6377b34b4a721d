#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/comparison.h"
#include "leaf/metrics/tables.h"

namespace leaf::metrics {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

void check(const Rows& rows, const fs::path& file) {
  if (rows.size() < 2) {
    throw DataError(str("'", file.string(), "' holds no images; expected a header and a row each"));
  }
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() != rows.front().size()) {
      throw DataError(str("'", file.string(), "' row ", i + 1, ": expected ", rows.front().size(),
                          " cells, found ", rows[i].size()));
    }
  }
}

/// Columns whose every cell is a number or empty.
std::vector<std::size_t> number_columns(const Rows& rows, std::size_t names) {
  std::vector<std::size_t> columns;
  for (std::size_t column = 0; column < rows.front().size(); ++column) {
    const bool numbers = std::all_of(rows.begin() + 1, rows.end(), [&](const auto& row) {
      return cell_number(row[column]).has_value();
    });
    if (column != names && numbers) {
      columns.push_back(column);
    }
  }
  return columns;
}

}  // namespace

bool ScoreTable::has(const std::string& column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

ScoreTable read_scores(const fs::path& path) {
  const fs::path file = fs::is_directory(path) ? path / "scores.csv" : path;
  const Rows rows = read_csv(file);
  check(rows, file);
  const std::size_t names = column_of_names(rows.front());
  const std::vector<std::size_t> columns = number_columns(rows, names);
  ScoreTable table;
  table.label = path.has_filename() ? path.string() : path.parent_path().string();
  for (const std::size_t column : columns) {
    table.columns.push_back(rows.front()[column]);
  }
  std::set<std::string> seen;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (!seen.insert(rows[i][names]).second) {
      throw DataError(str("'", file.string(), "' has image '", rows[i][names], "' twice"));
    }
    table.names.push_back(rows[i][names]);
    table.rows.emplace_back();
    for (const std::size_t column : columns) {
      table.rows.back().push_back(*cell_number(rows[i][column]));
    }
  }
  return table;
}

}  // namespace leaf::metrics
