#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf {

namespace {

using Json = nlohmann::ordered_json;

Json seeds_json(const Evaluation& evaluation) {
  Json json = {{"count", evaluation.seed_means.size()}};
  for (std::size_t metric = 0; metric < metrics::all_metrics().size(); ++metric) {
    const metrics::Statistics statistics = seed_statistics(evaluation, metric);
    Json means = Json::array();
    for (const std::vector<double>& seed : evaluation.seed_means) {
      means.push_back(seed[metric]);
    }
    json[metrics::all_metrics()[metric].key] = {
        {"mean", statistics.mean}, {"std", statistics.std}, {"means", means}};
  }
  return json;
}

}  // namespace

metrics::Statistics seed_statistics(const Evaluation& evaluation, std::size_t metric) {
  std::vector<double> means;
  for (const std::vector<double>& seed : evaluation.seed_means) {
    means.push_back(seed.at(metric));
  }
  return metrics::statistics(means);
}

void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationFacts& facts) {
  const auto summary_of = [](const std::vector<metrics::ImageScore>& scores) {
    return Json::parse(metrics::summary_json(metrics::summarise(scores)));
  };
  Json json;
  for (const auto& [name, value] : facts) {
    json[name] = value;
  }
  json["versions"] = {{"leaf", version()}, {"libtorch", TORCH_VERSION}};
  json["scores"] = summary_of(evaluation.scores);
  metrics::write_scores_csv(folder / "scores.csv", evaluation.scores);
  if (!evaluation.seed_means.empty()) {
    json["seeds"] = seeds_json(evaluation);
  }
  if (!evaluation.native.empty()) {
    json["native"] = summary_of(evaluation.native);
    metrics::write_scores_csv(folder / "scores-native.csv", evaluation.native);
  }
  write_file(folder / "summary.json",
             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace leaf
