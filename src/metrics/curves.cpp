#include "leaf/metrics/curves.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "leaf/metrics/segmentation.h"
#include "pixels.h"

namespace leaf::metrics {
namespace {

/// How many thresholds a probability exceeds, compared as Segmenter::foreground does: in float32.
std::size_t thresholds_below(float probability) {
  const auto near = static_cast<int>(probability * 100) - 1;
  int count = std::clamp(near - 1, 0, ThresholdCurve::kCount);
  while (count < ThresholdCurve::kCount &&
         probability > static_cast<float>(ThresholdCurve::threshold(count))) {
    ++count;
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

void Calibration::add(const at::Tensor& probability, const at::Tensor& truth) {
  const at::Tensor dense = probability.contiguous();
  const Pixels target = to_pixels(truth);
  const auto* p = dense.const_data_ptr<float>();
  for (std::size_t i = 0; i < target.values.size(); ++i) {
    const double value = p[i];
    const auto part = static_cast<int>(value * kCalibrationBins);
    Bin& bin = bins[static_cast<std::size_t>(std::clamp(part, 0, kCalibrationBins - 1))];
    ++bin.pixels;
    bin.probability += value;
    bin.targets += target.values[i];
  }
}

double Calibration::error() const {
  double total = 0;
  double pixels = 0;
  for (const Bin& bin : bins) {
    total += std::abs(bin.probability - static_cast<double>(bin.targets));
    pixels += static_cast<double>(bin.pixels);
  }
  return pixels > 0 ? total / pixels : kUndefined;
}

void ThresholdCurve::add(const at::Tensor& probability, const at::Tensor& truth) {
  const at::Tensor dense = probability.contiguous();
  const Pixels target = to_pixels(truth);
  if (target.values.empty()) {
    return;  // all are ignored
  }
  const auto* p = dense.const_data_ptr<float>();
  std::array<std::int64_t, kCount + 1> targets{};
  std::array<std::int64_t, kCount + 1> others{};
  std::int64_t all_targets = 0;
  for (std::size_t i = 0; i < target.values.size(); ++i) {
    ++(target.values[i] != 0 ? targets : others)[thresholds_below(p[i])];
    all_targets += target.values[i];
  }
  Confusion c{0, 0, all_targets, static_cast<std::int64_t>(target.values.size()) - all_targets};
  for (std::size_t k = kCount; k-- > 0;) {  // the lower the threshold, the more is foreground
    c.tp += targets[k + 1];
    c.fn -= targets[k + 1];
    c.fp += others[k + 1];
    c.tn -= others[k + 1];
    dice_[k] += dice_of(c);
  }
  ++images_;
}

double ThresholdCurve::dice(int index) const {
  return images_ == 0 ? kUndefined
                      : dice_[static_cast<std::size_t>(index)] / static_cast<double>(images_);
}

double ThresholdCurve::best() const {
  int best = kCount / 2;  // 0.5
  for (int i = 0; i < kCount; ++i) {
    const bool nearer = std::abs(i - kCount / 2) < std::abs(best - kCount / 2);
    if (dice(i) > dice(best) || (dice(i) == dice(best) && nearer)) {
      best = i;
    }
  }
  return threshold(best);
}

void Curves::add(const at::Tensor& probability, const at::Tensor& truth,
                 const at::Tensor& ignored) {
  const at::Tensor values = scored_pixels(probability, ignored);
  const at::Tensor target = scored_pixels(truth, ignored);
  calibration.add(values, target);
  thresholds.add(values, target);
}

}  // namespace leaf::metrics
