#include "common/earlier_results.h"
#include "common/progress.h"
#include "leaf/core/error.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"
#include "leaf_eval/scoring.h"

namespace leaf::apps {
namespace {

metrics::ScoreOptions mask_scoring(const EvalOptions& o) {
  metrics::ScoreOptions scoring = score_options(o.scoring);
  if (!o.probabilities.empty()) {
    scoring.groups.add(metrics::MetricGroup::kProbability);
  } else if (scoring.groups.has(metrics::MetricGroup::kProbability)) {
    throw ConfigError("--metrics: the group 'probability' needs --probabilities");
  }
  return scoring;
}

EvaluationFacts facts_of(const EvalOptions& o) {
  EvaluationFacts facts = {{"predictions", o.predictions.string()},
                           {"ground_truth", o.ground_truth.string()},
                           {"threshold", std::to_string(o.threshold)}};
  if (!o.probabilities.empty()) {
    facts.emplace_back("probabilities", o.probabilities.string());
  }
  const EvaluationFacts scoring = scoring_facts(o.scoring);
  facts.insert(facts.end(), scoring.begin(), scoring.end());
  return facts;
}

}  // namespace

int score_masks(const EvalOptions& o) {
  apply(o.common);
  const metrics::ScoreOptions scoring = mask_scoring(o);
  const metrics::BreakdownOptions breakdown = breakdown_options(o.scoring);
  const auto output = o.output.empty() ? sibling(o.predictions, "-eval") : o.output;
  const auto pairs = pair_masks({o.predictions, o.ground_truth, o.truth_suffix, o.probabilities});
  note_earlier_results(output);
  Progress progress(static_cast<std::int64_t>(pairs.size()), "eval", stderr_output(o.common.quiet));
  Evaluation evaluation = evaluate_masks(pairs, o.threshold, scoring, [&](std::size_t done) {
    progress.update(static_cast<std::int64_t>(done));
  });
  progress.finish();
  report(evaluation, facts_of(o), breakdown, "at the masks' sizes", output);
  return kExitSuccess;
}

}  // namespace leaf::apps
