#include "leaf/report/result_table.h"

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "markdown.h"
#include "result_plot.h"

namespace leaf::report {
namespace {

/// "95.17 ± 0.11 (95.2)"; a dash where no run is done, "95.17, 1 of 3 runs" where some are.
std::string cell_text(const Result& result, int decimals) {
  std::string text = "–";
  if (!result.values.empty()) {
    const metrics::Statistics all = metrics::statistics(result.values);
    text = fixed(all.mean, decimals);
    if (result.values.size() > 1) {
      text += " ± " + fixed(all.std, decimals);
    }
    if (result.values.size() < result.runs) {
      text += str(", ", result.values.size(), " of ", result.runs, " runs");
    }
  }
  return result.published.empty() ? text : str(text, " (", result.published, ")");
}

std::string markdown_table(const ResultTable& table) {
  std::vector<std::string> header{"setting"};
  for (const std::string& column : table.columns) {
    header.push_back(markdown(column));
  }
  std::string text =
      str("# ", table.title, "\n\n", markdown_row(header), markdown_rule(header.size()));
  for (const ResultRow& row : table.rows) {
    std::vector<std::string> fields{markdown(row.name)};
    for (const Result& result : row.results) {
      fields.push_back(cell_text(result, table.decimals));
    }
    text += markdown_row(fields);
  }
  return text + "\nOurs, in brackets what was published. ± is the standard deviation over runs.\n";
}

std::string csv_table(const ResultTable& table) {
  std::string text = csv_row({"setting", "column", "runs", "mean", "deviation", "published"});
  for (const ResultRow& row : table.rows) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const Result& result = row.results[i];
      const metrics::Statistics all = metrics::statistics(result.values);
      const bool done = !result.values.empty();
      text += csv_row({row.name, table.columns[i], std::to_string(result.values.size()),
                       done ? exact(all.mean) : "", result.values.size() > 1 ? exact(all.std) : "",
                       result.published});
    }
  }
  return text;
}

}  // namespace

void write_result_table(const std::filesystem::path& folder, const ResultTable& table) {
  make_folder(folder);
  write_file(folder / "table.md", markdown_table(table));
  write_file(folder / "table.csv", csv_table(table));
  write_file(folder / "plot.svg", result_plot(table));
}

}  // namespace leaf::report
