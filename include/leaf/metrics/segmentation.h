#pragma once

#include <ATen/core/TensorBody.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/metrics/scores.h"

namespace leaf::metrics {

/// Pixels of one image by prediction (positive: target) and truth.
struct Confusion {
  std::int64_t tp = 0;
  std::int64_t fp = 0;
  std::int64_t fn = 0;
  std::int64_t tn = 0;

  /// No pixel counts: all are ignored.
  bool nothing_scored() const { return tp + fp + fn + tn == 0; }
  bool both_empty() const { return tp + fp + fn == 0 && tn > 0; }
  /// Prediction or truth is empty, but not both.
  bool one_sided_empty() const { return (tp + fp == 0) != (tp + fn == 0); }
  bool operator==(const Confusion&) const = default;
};

/// Counts over two bool or uint8 tensors of the same shape; not 0 is target. Throws DataError when
/// the shapes differ.
Confusion confusion(const at::Tensor& prediction, const at::Tensor& truth);

/// What a metric looks at; whoever scores chooses the groups, since they differ in cost.
enum class MetricGroup { kOverlap, kBoundary, kObjects, kProbability };
inline EnumNames<MetricGroup> enum_names(MetricGroup /*tag*/) {
  return {{MetricGroup::kOverlap, "overlap"},
          {MetricGroup::kBoundary, "boundary"},
          {MetricGroup::kObjects, "objects"},
          {MetricGroup::kProbability, "probability"}};
}

/// A set of groups; kOverlap is always in it.
class MetricGroups {
 public:
  MetricGroups() = default;
  MetricGroups(std::initializer_list<MetricGroup> groups);
  void add(MetricGroup group);
  bool has(MetricGroup group) const;

 private:
  std::bitset<4> has_{1};
};

/// What a metric sees of one image; groups that were not asked for are undefined.
struct Observation {
  Confusion c;
  double pixel_area = 1;  ///< in the unit of the spacing, squared
  BoundaryScores boundary;
  ObjectScores objects;
  ProbabilityScores probability;
};

/// Which of two scores is better.
enum class Best { kHighest, kLowest, kNearestToZero };

/// One row of the table of metrics. Scores, their summaries, files and tables iterate over it.
struct Metric {
  const char* key;      ///< in scores.csv, summary.json and validation: "dice"
  const char* title;    ///< in tables on the terminal: "Dice"
  const char* formula;  ///< for documents: "2 TP / (2 TP + FP + FN)"
  double (*score)(const Observation& observation);
  MetricGroup group = MetricGroup::kOverlap;
  Best best = Best::kHighest;
  double lowest = 0;  ///< the scores' range
  double highest = 1;
  int decimals = 6;  ///< in scores.csv
  /// Also recorded by validation, and summarised for the images with a target alone.
  bool headline = false;
};

/// All metrics in the order of the files; the first is the one that models are chosen by. Ratios of
/// target pixels are 1 where prediction and truth are both empty and 0 where one of them is; what
/// has no value is kUndefined.
const std::vector<Metric>& all_metrics();

/// The index of a key in the table. Throws Error for a key that is not there.
std::size_t metric_index(std::string_view key);

/// The Dice of these counts, as the table has it.
double dice_of(const Confusion& c);

/// The scores of one image, in the order of the table; those of other groups are undefined.
struct ImageScore {
  std::string name;
  Confusion c;
  std::vector<double> values;
  MetricGroups groups;
  /// Of several classes beside the background: each one's score, under the class's name. What
  /// stands above is then their mean (mean_over_classes).
  std::vector<ImageScore> classes = {};

  double value(std::string_view key) const { return values.at(metric_index(key)); }
};

/// The score of an image of several classes: each metric's mean over the classes that have a value,
/// and the sum of their counts.
ImageScore mean_over_classes(const std::string& name, std::vector<ImageScore> classes);

/// The scores of one class, by its place in ImageScore::classes, under the images' names.
std::vector<ImageScore> scores_of_class(const std::vector<ImageScore>& scores, std::size_t index);

/// Sides of pixels and what counts as near or covered, stated with every result.
struct ScoreOptions {
  MetricGroups groups{};
  Spacing spacing{};
  double tolerance = 2;  ///< of nsd and boundary_iou, in the unit of the spacing
  double object_overlap =
      0;  ///< share of an object that the other mask must hold, at least a pixel
};

/// The mask without the pixels that are not 0 in `ignored` (undefined: there are none): they become
/// background.
at::Tensor without_ignored(const at::Tensor& mask, const at::Tensor& ignored);

/// Scores a prediction: bool or uint8 [H, W], the shape of `truth`. Throws DataError when shapes
/// differ. The group kProbability needs `probability`, float32 [H, W] in [0, 1].
///
/// Pixels that are not 0 in `ignored`, where it is given, change no score, whatever prediction,
/// truth and probability say there: they are in no count, area or probability, and background on
/// both sides for outlines and objects, which need every pixel's neighbours.
ImageScore score_image(const std::string& name, const at::Tensor& prediction,
                       const at::Tensor& truth, const ScoreOptions& options = {},
                       const std::optional<at::Tensor>& probability = std::nullopt,
                       const at::Tensor& ignored = {});

}  // namespace leaf::metrics
