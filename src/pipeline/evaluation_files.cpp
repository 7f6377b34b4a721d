#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf {

namespace {

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

void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationSummary& summary) {
  using Json = nlohmann::ordered_json;
  Json json;
  for (const auto& [name, value] : summary.facts) {
    json[name] = value;
  }
  json["versions"] = {{"leaf", version()}, {"libtorch", TORCH_VERSION}};
  json["scores"] = Json::parse(metrics::breakdown_json(summary.scores));
  write_tables(folder, "", evaluation.scores, summary.scores);
  if (summary.native) {
    json["native"] = Json::parse(metrics::breakdown_json(*summary.native));
    write_tables(folder, "-native", evaluation.native, *summary.native);
  }
  write_file(folder / "summary.json",
             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace leaf
