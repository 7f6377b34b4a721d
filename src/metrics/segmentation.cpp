#include "leaf/metrics/segmentation.h"

#include <ATen/ATen.h>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::metrics {
namespace {

/// A ratio of target pixels: 1 when there are none on either side.
double ratio(const Confusion& c, std::int64_t part, std::int64_t whole) {
  if (c.both_empty()) {
    return 1.0;
  }
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double dice(const Observation& o) { return ratio(o.c, 2 * o.c.tp, 2 * o.c.tp + o.c.fp + o.c.fn); }
double iou(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fp + o.c.fn); }
double precision(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fp); }
double recall(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fn); }

/// Of the background, so that an empty prediction or truth is nothing special; 1 without any.
double specificity(const Observation& o) {
  const std::int64_t background = o.c.tn + o.c.fp;
  return background == 0 ? 1.0 : static_cast<double>(o.c.tn) / static_cast<double>(background);
}

/// The observation without the pixels that are ignored: background on both sides, in no count.
Observation observe_rest(const at::Tensor& prediction, const at::Tensor& truth,
                         const Spacing& spacing, const at::Tensor& ignored) {
  const at::Tensor kept = ignored.eq(0);
  Observation rest{prediction.ne(0).logical_and(kept), truth.ne(0).logical_and(kept), spacing, {}};
  rest.c = confusion(rest.prediction, rest.truth);
  rest.c.tn -= ignored.numel() - kept.sum().item<std::int64_t>();
  return rest;
}

}  // namespace

Confusion confusion(const at::Tensor& prediction, const at::Tensor& truth) {
  if (prediction.sizes() != truth.sizes()) {
    throw DataError(leaf::str("cannot score a prediction of shape ", prediction.sizes(),
                              " against a truth of shape ", truth.sizes(), "; they must be equal"));
  }
  const at::Tensor predicted = prediction.ne(0);
  const at::Tensor target = truth.ne(0);
  const auto count = [](const at::Tensor& where) { return where.sum().item<std::int64_t>(); };
  Confusion c;
  c.tp = count(predicted.logical_and(target));
  c.fp = count(predicted) - c.tp;
  c.fn = count(target) - c.tp;
  c.tn = prediction.numel() - c.tp - c.fp - c.fn;
  return c;
}

const std::vector<Metric>& all_metrics() {
  static const std::vector<Metric> table{
      {.key = "dice",
       .title = "Dice",
       .formula = "2 TP / (2 TP + FP + FN)",
       .score = dice,
       .headline = true},
      {.key = "iou",
       .title = "IoU",
       .formula = "TP / (TP + FP + FN)",
       .score = iou,
       .headline = true},
      {.key = "precision", .title = "precision", .formula = "TP / (TP + FP)", .score = precision},
      {.key = "recall", .title = "recall", .formula = "TP / (TP + FN)", .score = recall},
      {.key = "specificity",
       .title = "specificity",
       .formula = "TN / (TN + FP)",
       .score = specificity},
  };
  return table;
}

std::size_t metric_index(std::string_view key) {
  const std::vector<Metric>& table = all_metrics();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].key == key) {
      return i;
    }
  }
  throw Error(str("there is no metric '", key, "'"));
}

ImageScore score_image(const std::string& name, const at::Tensor& prediction,
                       const at::Tensor& truth, const Spacing& spacing, const at::Tensor& ignored) {
  const Observation observation =
      ignored.defined() ? observe_rest(prediction, truth, spacing, ignored)
                        : Observation{prediction, truth, spacing, confusion(prediction, truth)};
  ImageScore score{name, observation.c, {}};
  for (const Metric& metric : all_metrics()) {
    score.values.push_back(metric.score(observation));
  }
  return score;
}

}  // namespace leaf::metrics
