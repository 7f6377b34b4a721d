#include "leaf/metrics/segmentation.h"

#include <ATen/ATen.h>

#include <limits>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "pixels.h"

namespace leaf::metrics {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A ratio of target pixels: 1 when there are none on either side.
double ratio(const Confusion& c, std::int64_t part, std::int64_t whole) {
  if (c.both_empty()) {
    return 1.0;
  }
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double dice(const Observation& o) { return dice_of(o.c); }
double iou(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fp + o.c.fn); }
double precision(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fp); }
double recall(const Observation& o) { return ratio(o.c, o.c.tp, o.c.tp + o.c.fn); }

/// Of the background, so that an empty prediction or truth is nothing special; 1 without any.
double specificity(const Observation& o) {
  const std::int64_t background = o.c.tn + o.c.fp;
  return background == 0 ? 1.0 : static_cast<double>(o.c.tn) / static_cast<double>(background);
}

/// The counts without the pixels that are ignored, which both masks have as background.
Confusion count_rest(const at::Tensor& prediction, const at::Tensor& truth,
                     const at::Tensor& ignored) {
  Confusion c = confusion(prediction, truth);
  if (ignored.defined()) {
    c.tn -= ignored.ne(0).sum().item<std::int64_t>();
  }
  return c;
}

/// Undefined where every pixel is ignored.
double accuracy(const Observation& o) {
  const std::int64_t right = o.c.tp + o.c.tn;
  return static_cast<double>(right) / static_cast<double>(right + o.c.fp + o.c.fn);
}

double area_difference(const Observation& o) {
  return static_cast<double>(o.c.fp - o.c.fn) * o.pixel_area;
}

double relative_area_difference(const Observation& o) {
  const std::int64_t target = o.c.tp + o.c.fn;
  return target == 0 ? kUndefined
                     : static_cast<double>(o.c.fp - o.c.fn) / static_cast<double>(target);
}

std::vector<Metric> overlap_metrics() {
  return {
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
      {.key = "accuracy",
       .title = "accuracy",
       .formula = "(TP + TN) / all pixels",
       .score = accuracy},
      {.key = "area_difference",
       .title = "area diff.",
       .formula = "predicted area - true area",
       .score = area_difference,
       .best = Best::kNearestToZero,
       .lowest = -kInfinity,
       .highest = kInfinity},
      {.key = "relative_area_difference",
       .title = "rel. area d.",
       .formula = "(predicted area - true area) / true area",
       .score = relative_area_difference,
       .best = Best::kNearestToZero,
       .lowest = -1,
       .highest = kInfinity},
  };
}

/// A distance: the lower the better, without an upper bound.
Metric distance(const char* key, const char* title, const char* formula,
                double (*score)(const Observation&)) {
  return {.key = key,
          .title = title,
          .formula = formula,
          .score = score,
          .group = MetricGroup::kBoundary,
          .best = Best::kLowest,
          .highest = kInfinity};
}

std::vector<Metric> boundary_metrics() {
  using O = const Observation&;
  return {
      distance("hausdorff", "Hausdorff", "largest distance between the outlines",
               [](O o) { return o.boundary.hausdorff; }),
      distance("hd95", "HD95", "larger of both sides' 95th percentiles of the distances",
               [](O o) { return o.boundary.hd95; }),
      distance("assd", "ASSD", "mean of all distances of both outlines",
               [](O o) { return o.boundary.assd; }),
      {.key = "nsd",
       .title = "NSD",
       .formula = "share of both outlines within the tolerance",
       .score = [](O o) { return o.boundary.nsd; },
       .group = MetricGroup::kBoundary},
      {.key = "boundary_iou",
       .title = "boundary IoU",
       .formula = "IoU of the target pixels within the tolerance of the background",
       .score = [](O o) { return o.boundary.boundary_iou; },
       .group = MetricGroup::kBoundary},
  };
}

Metric count(const char* key, const char* title, const char* formula, Best best,
             double (*score)(const Observation&)) {
  return {.key = key,
          .title = title,
          .formula = formula,
          .score = score,
          .group = MetricGroup::kObjects,
          .best = best,
          .highest = kInfinity,
          .decimals = 0};
}

std::vector<Metric> object_metrics() {
  using O = const Observation&;
  return {
      count("lesions_found", "found", "objects of the truth that the prediction covers",
            Best::kHighest, [](O o) { return o.objects.found; }),
      count("lesions_missed", "missed", "objects of the truth that it does not cover",
            Best::kLowest, [](O o) { return o.objects.missed; }),
      count("false_objects", "false objects",
            "objects of the prediction that the truth does not cover", Best::kLowest,
            [](O o) { return o.objects.spurious; }),
  };
}

std::vector<Metric> probability_metrics() {
  using O = const Observation&;
  const auto row = [](const char* key, const char* title, const char* formula, Best best,
                      double (*score)(O)) {
    return Metric{.key = key,
                  .title = title,
                  .formula = formula,
                  .score = score,
                  .group = MetricGroup::kProbability,
                  .best = best};
  };
  return {
      row("auroc", "AUROC", "area under the ROC curve of the pixels", Best::kHighest,
          [](O o) { return o.probability.auroc; }),
      row("average_precision", "avg. precision", "mean precision at the target pixels",
          Best::kHighest, [](O o) { return o.probability.average_precision; }),
      row("ece", "ECE", "expected calibration error, 15 bins", Best::kLowest,
          [](O o) { return o.probability.ece; }),
      row("brier", "Brier", "mean of (probability - truth) squared", Best::kLowest,
          [](O o) { return o.probability.brier; }),
  };
}

std::vector<Metric> make_table() {
  std::vector<Metric> table = overlap_metrics();
  for (const auto& more : {boundary_metrics(), object_metrics(), probability_metrics()}) {
    table.insert(table.end(), more.begin(), more.end());
  }
  return table;
}

}  // namespace

MetricGroups::MetricGroups(std::initializer_list<MetricGroup> groups) {
  for (const MetricGroup group : groups) {
    add(group);
  }
}

void MetricGroups::add(MetricGroup group) { has_.set(static_cast<std::size_t>(group)); }

bool MetricGroups::has(MetricGroup group) const {
  return has_.test(static_cast<std::size_t>(group));
}

Pixels to_pixels(const at::Tensor& mask) {
  const at::Tensor dense = mask.ne(0).to(at::kByte).contiguous();
  const auto* values = dense.const_data_ptr<std::uint8_t>();
  return {static_cast<std::size_t>(dense.size(0)),
          static_cast<std::size_t>(dense.size(1)),
          {values, values + dense.numel()}};
}

at::Tensor scored_pixels(const at::Tensor& values, const at::Tensor& ignored) {
  return ignored.defined() ? values.masked_select(ignored.eq(0)).unsqueeze(0) : values;
}

at::Tensor without_ignored(const at::Tensor& mask, const at::Tensor& ignored) {
  return ignored.defined() ? mask.ne(0).logical_and(ignored.eq(0)) : mask;
}

double dice_of(const Confusion& c) { return ratio(c, 2 * c.tp, 2 * c.tp + c.fp + c.fn); }

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
  static const std::vector<Metric> table = make_table();
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
                       const at::Tensor& truth, const ScoreOptions& options,
                       const std::optional<at::Tensor>& probability, const at::Tensor& ignored) {
  const MetricGroups& groups = options.groups;
  const at::Tensor predicted = without_ignored(prediction, ignored);
  const at::Tensor target = without_ignored(truth, ignored);
  Observation seen;
  seen.c = count_rest(predicted, target, ignored);
  seen.pixel_area = options.spacing.row * options.spacing.column;
  if (groups.has(MetricGroup::kBoundary)) {
    seen.boundary = boundary_scores(predicted, target, options.spacing, options.tolerance);
  }
  if (groups.has(MetricGroup::kObjects)) {
    seen.objects = object_scores(predicted, target, options.object_overlap);
  }
  if (groups.has(MetricGroup::kProbability) && probability) {
    seen.probability =
        probability_scores(scored_pixels(*probability, ignored), scored_pixels(target, ignored));
  }
  ImageScore score{name, seen.c, {}, groups};
  for (const Metric& metric : all_metrics()) {
    score.values.push_back(seen.c.nothing_scored() ? kUndefined : metric.score(seen));
  }
  return score;
}

}  // namespace leaf::metrics
