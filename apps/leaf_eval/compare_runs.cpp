#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/earlier_results.h"
#include "common/exit_code.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/comparison.h"
#include "leaf/report/report.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScores = "scores.csv";
constexpr const char* kNativeScores = "scores-native.csv";
constexpr const char* kComparison = "comparison.json";
constexpr const char* kPage = "comparison.html";

fs::path output_of(const EvalOptions& o) {
  const fs::path first = fs::absolute(o.compare.front());
  return o.output.empty()
             ? sibling(fs::is_directory(first) ? first : first.parent_path(), "-compared")
             : o.output;
}

/// A text of somebody's JSON; empty where there is none.
std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// A run to compare: its scores, and how they were made as far as summary.json beside them says.
struct ScoredRun {
  fs::path scores;
  nlohmann::json facts;

  /// The side of the model's square in pixels; empty for the images' own sizes.
  std::string resolution() const {
    return scores.filename() == kNativeScores ? "" : text_of(facts, "resolution");
  }
};

/// "; there are some in 'a/best-eval-test'"
std::string scores_below(const fs::path& folder) {
  std::vector<std::string> found;
  for (const fs::path& entry : list_folder(folder)) {
    if (fs::exists(entry / kScores)) {
      found.push_back(str("'", entry.string(), "'"));
    }
  }
  return found.empty() ? "" : str("; there are some in ", join(found, ", "));
}

ScoredRun find_run(const fs::path& path) {
  const bool is_folder = fs::is_directory(path);
  if (is_folder && !fs::exists(path / kScores)) {
    throw ConfigError(str("--compare: no scores.csv in '", path.string(), "'", scores_below(path)));
  }
  ScoredRun run{is_folder ? path / kScores : path, nlohmann::json::object()};
  const fs::path summary = run.scores.parent_path() / "summary.json";
  if (fs::exists(summary)) {
    const auto facts = nlohmann::json::parse(read_file(summary), nullptr, false);
    run.facts = facts.is_object() ? facts : run.facts;
  }
  return run;
}

std::string grid_text(const ScoredRun& run) {
  const std::string side = run.resolution();
  return str("'", run.scores.string(), "' at ",
             side.empty() ? "the images' own sizes" : str("the model's ", side, "x", side));
}

/// Scores on other pixels do not compare: takes those at the images' own sizes then.
void take_same_pixels(std::vector<ScoredRun>& runs) {
  const auto other = std::find_if(runs.begin(), runs.end(), [&](const ScoredRun& run) {
    return run.resolution() != runs.front().resolution();
  });
  if (other == runs.end()) {
    return;
  }
  const std::string what = str(grid_text(runs.front()), " and ", grid_text(*other));
  for (ScoredRun& run : runs) {
    if (run.resolution().empty()) {
      continue;
    }
    const fs::path native = run.scores.parent_path() / kNativeScores;
    if (!fs::exists(native) || !run.facts.contains("native")) {  // or of an earlier call
      throw ConfigError(str("--compare: ", what, " are scores on other pixels; score '",
                            run.scores.parent_path().string(),
                            "' at the images' own sizes too (without --no-native)"));
    }
    run.scores = native;
  }
  log::info(str(what, " are scores on other pixels; comparing ", kNativeScores, " instead"));
}

void warn_of_differences(const std::vector<ScoredRun>& runs) {
  for (const char* fact : {"spacing", "tolerance", "object_overlap", "classes", "ignore_value"}) {
    for (const ScoredRun& run : runs) {
      const auto of = [&](const ScoredRun& r) { return text_of(r.facts, fact); };
      if (!of(run).empty() && !of(runs.front()).empty() && of(run) != of(runs.front())) {
        log::warn(str(fact, " is ", of(runs.front()), " in '", runs.front().scores.string(),
                      "', but ", of(run), " in '", run.scores.string(), "'"));
      }
    }
  }
}

/// Dice and IoU of several conventions are different numbers of the same masks.
void require_one_convention(const std::vector<ScoredRun>& runs) {
  const auto of = [](const ScoredRun& run) {
    const auto scores = run.facts.find("scores");
    return scores != run.facts.end() ? text_of(*scores, "convention") : std::string();
  };
  for (const ScoredRun& run : runs) {
    if (!of(run).empty() && !of(runs.front()).empty() && of(run) != of(runs.front())) {
      throw ConfigError(str("--compare: '", runs.front().scores.string(),
                            "' has the scores of --convention ", of(runs.front()), ", '",
                            run.scores.string(), "' those of ", of(run), "; score both by one"));
    }
  }
}

}  // namespace

int compare_runs(const EvalOptions& o) {
  apply(o.common);
  std::vector<ScoredRun> found;
  std::transform(o.compare.begin(), o.compare.end(), std::back_inserter(found), find_run);
  take_same_pixels(found);
  require_one_convention(found);
  warn_of_differences(found);
  std::vector<metrics::ScoreTable> runs;
  for (const ScoredRun& run : found) {
    runs.push_back(metrics::read_scores(run.scores));
  }
  const metrics::Comparison comparison = metrics::compare(
      runs, {.columns = o.columns, .seed = o.scoring.bootstrap_seed, .groups = o.scoring.groups});
  const fs::path output = output_of(o);
  note_earlier_results(
      output, o.report ? std::vector<std::string>() : std::vector<std::string>{kPage}, kComparison);
  metrics::write_comparison_csv(output / "comparison.csv", comparison);
  write_file(output / kComparison, metrics::comparison_json(comparison));
  if (o.report) {
    report::write_comparison_report(output / kPage, comparison, runs);
  }
  std::cout << metrics::comparison_text(comparison) << "comparison.csv and comparison.json are in '"
            << output.string() << "'" << std::endl;
  return kExitSuccess;
}

}  // namespace leaf::apps
