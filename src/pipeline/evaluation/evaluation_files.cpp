#include <torch/version.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/sha256.h"
#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/evaluation.h"
#include "metrics/json.h"

namespace leaf {

namespace {

Json seeds_json(const EvaluationSummary& summary) {
  Json json = {{"count", summary.seed_means.size()}};
  for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
    const metrics::Metric& metric = metrics::all_metrics()[i];
    if (metrics::is_shown(metric, summary.scores.summary.groups)) {
      const metrics::Statistics statistics = seed_statistics(summary, i);
      Json means = Json::array();
      for (const std::vector<double>& seed : summary.seed_means) {
        means.push_back(metrics::number_json(seed[i]));
      }
      json[metric.key] = {{"mean", metrics::number_json(statistics.mean)},
                          {"std", metrics::number_json(statistics.std)},
                          {"means", means}};
    }
  }
  return json;
}

/// scores.csv and strata.csv, `suffix` behind their names.
void write_tables(const std::filesystem::path& folder, const std::string& suffix,
                  const std::vector<metrics::ImageScore>& scores,
                  const metrics::Breakdown& breakdown) {
  metrics::write_scores_csv(folder / ("scores" + suffix + ".csv"), scores);
  if (!breakdown.strata.empty()) {
    metrics::write_strata_csv(folder / ("strata" + suffix + ".csv"), breakdown.strata);
  }
}

}  // namespace

metrics::Statistics seed_statistics(const EvaluationSummary& summary, std::size_t metric) {
  std::vector<double> means;
  for (const std::vector<double>& seed : summary.seed_means) {
    means.push_back(seed.at(metric));
  }
  return metrics::statistics(means);
}

std::string names_sha256(const std::vector<metrics::ImageScore>& scores) {
  std::string lines;
  for (const metrics::ImageScore& score : scores) {
    lines += score.name + "\n";
  }
  return sha256(lines);
}

void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationSummary& summary) {
  Json json;
  for (const auto& [name, value] : summary.facts) {
    json[name] = value;
  }
  json["versions"] = {{"leaf", version()}, {"libtorch", TORCH_VERSION}};
  json["scores"] = Json::parse(metrics::breakdown_json(summary.scores));
  write_tables(folder, "", evaluation.scores, summary.scores);
  if (!summary.seed_means.empty()) {
    json["seeds"] = seeds_json(summary);
  }
  if (summary.native) {
    json["native"] = Json::parse(metrics::breakdown_json(*summary.native));
    write_tables(folder, "-native", evaluation.native, *summary.native);
  }
  write_file(folder / "summary.json", json_text(json, 2) + "\n");
}

}  // namespace leaf
