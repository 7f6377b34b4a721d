#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstdint>

#include "leaf/metrics/scores.h"

namespace leaf::metrics {

/// How well probabilities agree with how often they come true: pixels in equal parts of [0, 1], the
/// last of which includes 1. Its size does not depend on the number of images.
struct Calibration {
  struct Bin {
    std::int64_t pixels = 0;
    double probability = 0;  ///< summed
    std::int64_t targets = 0;
  };
  std::array<Bin, kCalibrationBins> bins;

  /// probability: float32 [H, W] in [0, 1]; truth: not 0 is target.
  void add(const at::Tensor& probability, const at::Tensor& truth);
  /// The expected calibration error: |mean probability - share of targets|, by pixels.
  double error() const;
};

/// The mean Dice over images as a function of the threshold: 0.01, 0.02 ... 0.99.
class ThresholdCurve {
 public:
  static constexpr int kCount = 99;
  static double threshold(int index) { return (index + 1) / 100.0; }

  /// As Calibration::add; foreground is what exceeds the threshold.
  void add(const at::Tensor& probability, const at::Tensor& truth);
  /// The mean Dice at a threshold; undefined before the first image.
  double dice(int index) const;
  /// The threshold of the highest mean Dice; of equal ones the one nearest to 0.5.
  double best() const;
  std::int64_t images() const { return images_; }

 private:
  std::array<double, kCount> dice_{};
  std::int64_t images_ = 0;
};

/// What an evaluation collects about its probabilities.
struct Curves {
  Calibration calibration;
  ThresholdCurve thresholds;

  /// Pixels that are not 0 in `ignored`, where it is defined, are left out.
  void add(const at::Tensor& probability, const at::Tensor& truth, const at::Tensor& ignored = {});
};

}  // namespace leaf::metrics
