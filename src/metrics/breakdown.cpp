#include "leaf/metrics/breakdown.h"

#include "core/json.h"
#include "json.h"
#include "leaf/core/strings.h"

namespace leaf::metrics {
namespace {

std::vector<std::string> names_of(const std::vector<ImageScore>& scores) {
  std::vector<std::string> names;
  for (const ImageScore& score : scores) {
    names.push_back(score.name);
  }
  return names;
}

void append(std::vector<Stratum>& strata, const std::vector<Stratum>& more) {
  strata.insert(strata.end(), more.begin(), more.end());
}

Json to_json(const ConventionScores& row) {
  return {{"convention", row.convention->key},
          {"dice", number_json(row.dice)},
          {"iou", number_json(row.iou)},
          {"left_out", row.left_out},
          {"rule", row.convention->rule}};
}

}  // namespace

Breakdown break_down(const std::vector<ImageScore>& scores, const BreakdownOptions& options) {
  SummaryOptions summary{
      .seed = options.seed, .all_intervals = true, .groups = {}, .convention = options.convention};
  if (options.groups) {
    summary.groups = groups_by(*options.groups, names_of(scores));
  }
  std::vector<Stratum> strata;
  if (!options.by_size.empty()) {
    append(strata, by_size(scores, options.by_size));
  }
  for (const ImageColumn& column : options.by) {
    append(strata, by_column(scores, column));
  }
  Breakdown result;
  result.summary = summarise(scores, summary);
  for (std::size_t i = 0; i < scores.front().classes.size(); ++i) {
    result.classes.push_back(
        {scores.front().classes[i].name, summarise(scores_of_class(scores, i), summary)});
  }
  result.strata = summarise_strata(scores, strata, summary);
  if (options.conventions) {
    result.conventions = compare_conventions(scores);
  }
  return result;
}

std::string breakdown_json(const Breakdown& breakdown) {
  Json json = Json::parse(summary_json(breakdown.summary));
  for (const ClassSummary& each : breakdown.classes) {
    json["classes"][each.name] = Json::parse(summary_json(each.summary));
  }
  for (const StratumSummary& row : breakdown.strata) {
    json["strata"].push_back({{"by", row.stratum.by},
                              {"level", row.stratum.level},
                              {"summary", Json::parse(summary_json(row.summary))}});
  }
  for (const ConventionScores& row : breakdown.conventions) {
    json["conventions"].push_back(to_json(row));
  }
  return json_text(json, 2);
}

}  // namespace leaf::metrics
