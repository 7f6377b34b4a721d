#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace leaf::report {

/// What several runs of one setting scored, beside what was published.
struct Result {
  std::vector<double> values;  ///< of the runs that are done
  std::string published;       ///< as it is printed there; "" where nothing was
  std::size_t runs = 0;        ///< all that there are to be
};

struct ResultRow {
  std::string name;
  std::vector<Result> results;  ///< by column
};

/// A table of settings (rows) and scores (columns).
struct ResultTable {
  std::string title;
  std::vector<std::string> columns;
  int decimals = 2;
  std::vector<ResultRow> rows;
};

/// Writes table.md (mean and, of several runs, standard deviation; the published number in
/// brackets), table.csv (a line per number, every digit) and plot.svg (a panel per column: ours
/// filled, published hollow). Each atomic; the content follows from the table alone.
void write_result_table(const std::filesystem::path& folder, const ResultTable& table);

}  // namespace leaf::report
