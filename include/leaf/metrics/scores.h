#pragma once

#include <ATen/core/TensorBody.h>

#include <limits>

namespace leaf::metrics {

/// The score of an image that has none, as a distance to an empty mask: an empty cell in CSV, null
/// in JSON, left out of every mean and counted.
inline constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
inline bool is_defined(double score) { return score == score; }

/// The sides of a pixel in millimetres, or 1 where they are not known: scores are then in pixels.
struct Spacing {
  double row = 1;     ///< from one row to the next
  double column = 1;  ///< from one column to the next
};

/// Scores of outlines. An outline pixel is a target pixel with a background pixel above, below,
/// left or right of it; beyond the picture is background. Distances are Euclidean, exact and in the
/// unit of the spacing, from each outline pixel to the nearest one of the other mask.
struct BoundaryScores {
  double hausdorff = kUndefined;     ///< the largest distance
  double hd95 = kUndefined;          ///< the larger of both sides' 95th percentiles
  double assd = kUndefined;          ///< the mean of all distances of both sides
  double nsd = kUndefined;           ///< the share of all outline pixels within the tolerance
  double boundary_iou = kUndefined;  ///< IoU of the target pixels that near to the background
};

/// Masks: bool or uint8 [H, W], not 0 is target. The distances are undefined where a mask is empty;
/// nsd and boundary_iou are then 0, and 1 where both are empty.
BoundaryScores boundary_scores(const at::Tensor& prediction, const at::Tensor& truth,
                               const Spacing& spacing, double tolerance);

/// Objects are connected target pixels, diagonals included.
struct ObjectScores {
  double found = kUndefined;     ///< objects of the truth that the prediction covers
  double missed = kUndefined;    ///< those that it does not
  double spurious = kUndefined;  ///< objects of the prediction that the truth does not cover
};

/// An object is covered when the other mask holds at least one of its pixels, and at least the
/// share `overlap` of them (0 to 1).
ObjectScores object_scores(const at::Tensor& prediction, const at::Tensor& truth, double overlap);

/// How many equal parts of [0, 1] calibration looks at.
inline constexpr int kCalibrationBins = 15;

/// Scores of an image's probabilities, over all its pixels.
struct ProbabilityScores {
  double auroc = kUndefined;              ///< undefined unless the truth holds both classes
  double average_precision = kUndefined;  ///< undefined without target
  double ece = kUndefined;    ///< expected calibration error over kCalibrationBins equal parts
  double brier = kUndefined;  ///< mean squared difference from the truth
};

/// probability: float32 [H, W] in [0, 1].
ProbabilityScores probability_scores(const at::Tensor& probability, const at::Tensor& truth);

}  // namespace leaf::metrics
