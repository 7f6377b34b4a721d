#include "common/earlier_results.h"
#include "common/progress.h"
#include "leaf/core/error.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"

namespace leaf::apps {
namespace {

data::MaskOptions mask_options(const EvalOptions& o) {
  data::MaskOptions options;
  options.threshold = o.threshold;
  options.ignore_value = o.ignore_value;
  options.threshold_name = "--threshold";
  options.zero_threshold = "--threshold 0";
  options.ignore_name = "--ignore-value";
  return options;
}

}  // namespace

int score_masks(const EvalOptions& o) {
  apply(o.common);
  const auto output = o.output.empty() ? sibling(o.predictions, "-eval") : o.output;
  const auto pairs = pair_masks({o.predictions, o.ground_truth, {o.truth_prefix, o.truth_suffix}});
  note_earlier_results(output);
  Progress progress(static_cast<std::int64_t>(pairs.size()), "eval", stderr_output(o.common.quiet));
  Evaluation evaluation;
  evaluation.scores = evaluate_masks(pairs, mask_options(o), [&](std::size_t done) {
    progress.update(static_cast<std::int64_t>(done));
  });
  progress.finish();
  const EvaluationFacts facts = {{"predictions", o.predictions.string()},
                                 {"ground_truth", o.ground_truth.string()},
                                 {"threshold", std::to_string(o.threshold)},
                                 {"ignore_value", std::to_string(o.ignore_value)}};
  report(evaluation, facts, "at the masks' sizes", output);
  return kExitSuccess;
}

}  // namespace leaf::apps
