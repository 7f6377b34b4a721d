#include "leaf_experiment/runs.h"

#include <nlohmann/json.hpp>
#include <set>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::apps {
namespace fs = std::filesystem;
namespace {

/// The groups of metrics to score, for leaf_eval.
std::string metric_groups(const std::vector<std::string>& metrics) {
  std::set<std::string> groups{enum_text(metrics::MetricGroup::kOverlap)};
  for (const std::string& key : metrics) {
    groups.insert(enum_text(metrics::all_metrics()[metrics::metric_index(key)].group));
  }
  return join({groups.begin(), groups.end()}, ",");
}

std::vector<std::string> overrides_of(const ExperimentOptions& options) {
  std::vector<std::string> overrides = options.overrides;
  if (options.precision_given) {  // a run of another precision is another run
    overrides.push_back(str("train.mixed_precision=",
                            options.common.precision == "fp32" ? "no" : options.common.precision));
  }
  return overrides;
}

}  // namespace

ExperimentRuns::ExperimentRuns(const config::Experiment& experiment,
                               const ExperimentOptions& options)
    : experiment_(experiment),
      options_(options),
      cells_(config::cells_of(experiment, overrides_of(options))) {}

/// One folder for each way of scoring, so that experiments that share a run keep their own.
fs::path ExperimentRuns::scores(const config::ExperimentCell& cell) const {
  std::string name = str("scores-", experiment_.split);
  for (const std::string& metric : experiment_.metrics) {
    name += "-" + metric;
  }
  return cell.folder /
         (experiment_.noise_seeds > 1 ? str(name, "-", experiment_.noise_seeds, "-noises") : name);
}

RunState ExperimentRuns::state(const config::ExperimentCell& cell) const {
  if (fs::exists(scores(cell) / "summary.json")) {  // which leaf_eval writes last
    return RunState::kDone;
  }
  return fs::exists(cell.folder) ? RunState::kBegun : RunState::kNew;
}

std::unique_ptr<FolderLock> ExperimentRuns::claim(const config::ExperimentCell& cell) const {
  const fs::path folder = experiment_.output / "claims" / cell.folder.filename();
  make_folder(folder);
  return FolderLock::unless_held(folder);
}

std::vector<std::string> ExperimentRuns::common(const config::ExperimentCell& cell) const {
  std::vector<std::string> words{"--config", cell.config.string()};
  for (const std::string& setting : cell.overrides) {
    words.insert(words.end(), {"--set", setting});
  }
  const CommonOptions& o = options_.common;
  words.insert(words.end(), {"--device", o.device, "--threads", std::to_string(o.threads)});
  if (options_.precision_given) {
    words.insert(words.end(), {"--precision", o.precision});
  }
  if (o.quiet || o.verbose) {
    words.emplace_back(o.quiet ? "--quiet" : "--verbose");
  }
  return words;
}

std::vector<std::string> ExperimentRuns::training(const config::ExperimentCell& cell) const {
  std::vector<std::string> words = common(cell);
  words.insert(words.begin(), "leaf_train");
  words.emplace_back("--resume");
  return words;
}

std::vector<std::string> ExperimentRuns::evaluation(const config::ExperimentCell& cell) const {
  std::vector<std::string> words = common(cell);
  words.insert(words.begin(), {"leaf_eval", "--model", cell.folder.string()});
  words.insert(
      words.end(),
      {"--split", experiment_.split, "--no-native", "--metrics", metric_groups(experiment_.metrics),
       "--seeds", std::to_string(experiment_.noise_seeds), "--output", scores(cell).string()});
  return words;
}

std::optional<double> ExperimentRuns::score(const config::ExperimentCell& cell,
                                            const std::string& metric) const {
  const bool deviation = experiment_.statistic == config::Statistic::kNoiseDeviation;
  const fs::path file = scores(cell) / "summary.json";
  try {
    const auto all = nlohmann::json::parse(read_file(file));
    const auto& of = all.at(deviation ? "seeds" : "scores").at(metric);
    const auto& number = of.at(deviation ? "std" : "mean");
    return number.is_null() ? std::nullopt : std::optional(number.get<double>());
  } catch (const nlohmann::json::exception&) {
    throw DataError(str("'", file.string(), "' is no summary of leaf_eval; remove its folder"));
  }
}

}  // namespace leaf::apps
