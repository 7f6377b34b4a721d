#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace leaf::metrics {

/// Pixels of one image by prediction (positive: target) and truth.
struct Confusion {
  std::int64_t tp = 0;
  std::int64_t fp = 0;
  std::int64_t fn = 0;
  std::int64_t tn = 0;

  bool both_empty() const { return tp + fp + fn == 0; }
  /// Prediction or truth is empty, but not both: every score is 0.
  bool one_sided_empty() const { return !both_empty() && (tp + fp == 0 || tp + fn == 0); }
  bool operator==(const Confusion&) const = default;
};

/// Counts over two bool or uint8 tensors of the same shape; not 0 is target. DataError when the
/// shapes differ.
Confusion confusion(const at::Tensor& prediction, const at::Tensor& truth);

/// Scores of the target class, 0 to 1. When prediction and truth are both empty all are 1; when one
/// of them is, all are 0.
double dice(const Confusion& c);       ///< 2 TP / (2 TP + FP + FN)
double iou(const Confusion& c);        ///< TP / (TP + FP + FN)
double precision(const Confusion& c);  ///< TP / (TP + FP)
double recall(const Confusion& c);     ///< TP / (TP + FN)

struct ImageScore {
  std::string name;
  Confusion c;
  double dice = 0;
  double iou = 0;
  double precision = 0;
  double recall = 0;
  bool both_empty = false;
  bool one_sided_empty = false;
};

ImageScore score_image(const std::string& name, const Confusion& c);

/// Mean, median and standard deviation (n - 1; 0 for one image) over images.
struct Statistics {
  double mean = 0;
  double median = 0;
  double std = 0;
};

struct Interval {
  double low = 0;
  double high = 0;
};

struct Summary {
  std::int64_t count = 0;
  std::int64_t both_empty = 0;
  std::int64_t one_sided_empty = 0;
  /// Images whose truth holds a target, and their means (0 when there are none).
  std::int64_t with_target = 0;
  double dice_with_target = 0;
  double iou_with_target = 0;
  Statistics dice;
  Statistics iou;
  Statistics precision;
  Statistics recall;
  /// 95 % confidence interval of the mean Dice: percentiles of the means of 1000 seeded resamples.
  /// Empty for a single image.
  std::optional<Interval> dice_confidence;
};

/// DataError when there are no scores.
Summary summarise(const std::vector<ImageScore>& scores, std::uint64_t seed = 1337);

/// A JSON object with everything in `summary` (null for an empty interval) and the
/// convention for empty images.
std::string summary_json(const Summary& summary);

/// One row per image: name,dice,iou,precision,recall,tp,fp,fn,tn,both_empty,one_sided_empty.
/// Atomic.
void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores);

}  // namespace leaf::metrics
