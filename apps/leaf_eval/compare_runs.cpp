#include <filesystem>
#include <iostream>
#include <vector>

#include "common/exit_code.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/comparison.h"
#include "leaf/report/report.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

fs::path output_of(const EvalOptions& o) {
  const fs::path& first = o.compare.front();
  return o.output.empty()
             ? sibling(fs::is_directory(first) ? first : first.parent_path(), "-compared")
             : o.output;
}

}  // namespace

int compare_runs(const EvalOptions& o) {
  apply(o.common);
  std::vector<metrics::ScoreTable> runs;
  for (const fs::path& path : o.compare) {
    runs.push_back(metrics::read_scores(path));
  }
  const metrics::Comparison comparison = metrics::compare(
      runs, {.columns = o.columns, .seed = o.scoring.bootstrap_seed, .groups = o.scoring.groups});
  const fs::path output = output_of(o);
  metrics::write_comparison_csv(output / "comparison.csv", comparison);
  write_file(output / "comparison.json", metrics::comparison_json(comparison));
  if (o.report) {
    report::write_comparison_report(output / "comparison.html", comparison, runs);
  }
  std::cout << metrics::comparison_text(comparison) << "comparison.csv and comparison.json are in '"
            << output.string() << "'" << std::endl;
  return kExitSuccess;
}

}  // namespace leaf::apps
