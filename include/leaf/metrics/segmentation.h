#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leaf::metrics {

/// Pixels of one image by prediction (positive: target) and truth.
struct Confusion {
  std::int64_t tp = 0;
  std::int64_t fp = 0;
  std::int64_t fn = 0;
  std::int64_t tn = 0;

  bool both_empty() const { return tp + fp + fn == 0; }
  /// Prediction or truth is empty, but not both.
  bool one_sided_empty() const { return !both_empty() && (tp + fp == 0 || tp + fn == 0); }
  bool operator==(const Confusion&) const = default;
};

/// Counts over two bool or uint8 tensors of the same shape; not 0 is target. DataError when the
/// shapes differ.
Confusion confusion(const at::Tensor& prediction, const at::Tensor& truth);

/// The sides of a pixel in millimetres, or 1 where they are not known.
struct Spacing {
  double row = 1;     ///< from one row to the next
  double column = 1;  ///< from one column to the next
};

/// What a metric sees of one image: not 0 is target.
struct Observation {
  at::Tensor prediction;  ///< bool or uint8 [H, W]
  at::Tensor truth;       ///< as prediction
  Spacing spacing;
  Confusion c;  ///< the counts of the two
};

/// One row of the table of metrics. Scores, their summaries, files and tables iterate over it.
struct Metric {
  const char* key;      ///< in scores.csv, summary.json and validation: "dice"
  const char* title;    ///< in tables on the terminal: "Dice"
  const char* formula;  ///< for documents: "2 TP / (2 TP + FP + FN)"
  double (*score)(const Observation& observation);
  bool higher_is_better = true;
  double lowest = 0;  ///< the scores' range
  double highest = 1;
  /// Also recorded by validation, and summarised for the images with a target alone.
  bool headline = false;
};

/// All metrics in the order of the files; the first is the one that models are chosen by. Those of
/// the target class are 1 where prediction and truth are both empty and 0 where one of them is.
const std::vector<Metric>& all_metrics();

/// The index of a key in the table. Error for a key that is not there.
std::size_t metric_index(std::string_view key);

/// The scores of one image, in the order of the table.
struct ImageScore {
  std::string name;
  Confusion c;
  std::vector<double> values;

  double value(std::string_view key) const { return values.at(metric_index(key)); }
};

/// Scores a prediction: bool or uint8 [H, W], the shape of `truth`. Pixels that are not 0 in
/// `ignored`, where it is given, are in no count. DataError when shapes differ.
ImageScore score_image(const std::string& name, const at::Tensor& prediction,
                       const at::Tensor& truth, const Spacing& spacing = {},
                       const at::Tensor& ignored = {});

/// Mean, median and standard deviation (n - 1; 0 for one image) over images.
struct Statistics {
  double mean = 0;
  double median = 0;
  double std = 0;
};

/// Of one value or more.
Statistics statistics(const std::vector<double>& values);

struct Interval {
  double low = 0;
  double high = 0;
};

struct Summary {
  std::int64_t count = 0;
  std::int64_t both_empty = 0;
  std::int64_t one_sided_empty = 0;
  /// Statistics of each metric, in the order of the table.
  std::vector<Statistics> values;
  /// Images whose truth holds a target, and each metric's mean over them (0 when there are none).
  std::int64_t with_target = 0;
  std::vector<double> means_with_target;
  /// 95 % confidence interval of the first metric's mean: percentiles of the means of 1000 seeded
  /// resamples. Empty for a single image.
  std::optional<Interval> confidence;

  const Statistics& of(std::string_view key) const { return values.at(metric_index(key)); }
  double with_target_mean(std::string_view key) const {
    return means_with_target.at(metric_index(key));
  }
};

/// DataError when there are no scores.
Summary summarise(const std::vector<ImageScore>& scores, std::uint64_t seed = 1337);

/// A JSON object with everything in `summary` (null for an empty interval) and the
/// convention for empty images.
std::string summary_json(const Summary& summary);

/// One row per image: its name, every metric by its key, tp,fp,fn,tn,both_empty,one_sided_empty.
/// Atomic.
void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores);

}  // namespace leaf::metrics
