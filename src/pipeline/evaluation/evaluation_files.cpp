#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf {

void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationFacts& facts) {
  using Json = nlohmann::ordered_json;
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
  if (!evaluation.native.empty()) {
    json["native"] = summary_of(evaluation.native);
    metrics::write_scores_csv(folder / "scores-native.csv", evaluation.native);
  }
  write_file(folder / "summary.json",
             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace leaf
