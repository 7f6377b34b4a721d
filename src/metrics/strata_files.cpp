#include <filesystem>
#include <string>
#include <vector>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/strata.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

std::string row_of(const StratumSummary& row, std::size_t metric) {
  const Statistics& s = row.summary.values[metric];
  std::vector<std::string> cells{row.stratum.by, row.stratum.level,
                                 std::to_string(row.summary.count), all_metrics()[metric].key,
                                 std::to_string(s.undefined)};
  for (const double value :
       {s.mean, s.median, s.std, s.q1, s.q3, s.interval ? s.interval->low : kUndefined,
        s.interval ? s.interval->high : kUndefined}) {
    cells.push_back(cell(value, 6));
  }
  return csv_row(cells);
}

}  // namespace

void write_strata_csv(const std::filesystem::path& path,
                      const std::vector<StratumSummary>& strata) {
  std::string content = csv_row({"by", "level", "images", "metric", "undefined", "mean", "median",
                                 "std", "q1", "q3", "low", "high"});
  for (const StratumSummary& row : strata) {
    for (std::size_t i = 0; i < all_metrics().size(); ++i) {
      if (is_shown(all_metrics()[i], row.summary.groups)) {
        content += row_of(row, i);
      }
    }
  }
  write_file(path, content);
}

}  // namespace leaf::metrics
