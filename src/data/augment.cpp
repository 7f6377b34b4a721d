#include "augment.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/calm_opencv.h"

namespace leaf::data {
namespace {

/// The tensor's own memory, uint8 [H,W] or [H,W,3].
cv::Mat view(const at::Tensor& pixels) {
  const int type = pixels.dim() == 3 ? CV_8UC3 : CV_8UC1;
  return {static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), type,
          pixels.mutable_data_ptr()};
}

at::Tensor turned(const at::Tensor& pixels, int quarters) {
  at::Tensor result = at::empty_like(pixels);
  cv::Mat target = view(result);
  constexpr cv::RotateFlags kTurns[] = {cv::ROTATE_90_CLOCKWISE, cv::ROTATE_180,
                                        cv::ROTATE_90_COUNTERCLOCKWISE};
  cv::rotate(view(pixels), target, kTurns[quarters - 1]);
  return result;
}

Pixels turned_at_random(const Pixels& pixels, double probability, RandomStream& draw) {
  const bool turns = draw.uniform() < probability;
  const int quarters = 1 + static_cast<int>(draw.below(3));
  if (!turns) {
    return pixels;
  }
  return {turned(pixels.image, quarters), turned(pixels.mask, quarters)};
}

at::Tensor warped(const at::Tensor& pixels, const cv::Matx23d& map, cv::InterpolationFlags how) {
  at::Tensor result = at::empty_like(pixels);
  cv::Mat target = view(result);
  cv::warpAffine(view(pixels), target, map, target.size(), how, cv::BORDER_REFLECT_101);
  return result;
}

/// Enlarged by a factor and shifted so that picture and frame, the smaller inside the larger, meet
/// at a random place.
Pixels scaled_at_random(const Pixels& pixels, const Augmentation& options, RandomStream& draw) {
  const double factor = draw.uniform(options.scale_low, options.scale_high);
  const auto shift = [&](std::int64_t side) {
    const double room = static_cast<double>(side) * (1 - factor);
    return room * draw.uniform() + 0.5 * (factor - 1);  // pixels have their centres at halves
  };
  const double x = shift(pixels.mask.size(1));
  const double y = shift(pixels.mask.size(0));
  const cv::Matx23d map(factor, 0, x, 0, factor, y);
  return {warped(pixels.image, map, cv::INTER_LINEAR), warped(pixels.mask, map, cv::INTER_NEAREST)};
}

/// A number up to `largest` in size, of either sign.
double change(double largest, RandomStream& draw) { return draw.uniform(-largest, largest); }

void change_contrast(cv::Mat& values, double share) {
  const cv::Scalar sums = cv::sum(values);
  const double mean = (sums[0] + sums[1] + sums[2]) / static_cast<double>(3 * values.total());
  values.convertTo(values, -1, 1 + share, -mean * share);
}

void turn_hue(cv::Mat& values, double share) {
  constexpr float kCircle = 360;
  cv::Mat within = cv::min(cv::max(values, 0.0), 1.0);
  cv::cvtColor(within, values, cv::COLOR_RGB2HSV);
  for (auto pixel = values.begin<cv::Vec3f>(); pixel != values.end<cv::Vec3f>(); ++pixel) {
    float& hue = (*pixel)[0];
    hue += kCircle * static_cast<float>(share);
    hue -= kCircle * std::floor(hue / kCircle);
  }
  cv::cvtColor(values, values, cv::COLOR_HSV2RGB);
}

void blur(cv::Mat& values, double deviation) {
  constexpr double kNothing = 0.05;  // below it the neighbours weigh nothing
  if (deviation > kNothing) {
    cv::GaussianBlur(values, values, cv::Size(), deviation, deviation, cv::BORDER_REFLECT_101);
  }
}

void add_noise(cv::Mat& values, double deviation, RandomStream& draw) {
  auto* value = values.ptr<float>();
  for (std::size_t i = 0; i < 3 * values.total(); ++i) {
    value[i] += static_cast<float>(deviation * draw.normal());
  }
}

at::Tensor recoloured(const at::Tensor& image, const Augmentation& options, RandomStream& draw) {
  cv::Mat values;
  view(image).convertTo(values, CV_32F, 1.0 / 255);
  if (options.brightness > 0) {
    values.convertTo(values, -1, 1, change(options.brightness, draw));
  }
  if (options.contrast > 0) {
    change_contrast(values, change(options.contrast, draw));
  }
  if (options.hue > 0) {
    turn_hue(values, change(options.hue, draw));
  }
  if (options.blur > 0) {
    blur(values, draw.uniform(0, options.blur));
  }
  if (options.noise > 0) {
    add_noise(values, draw.uniform(0, options.noise), draw);
  }
  at::Tensor result = at::empty_like(image);
  cv::Mat target = view(result);
  values.convertTo(target, CV_8U, 255);
  return result;
}

}  // namespace

Pixels augment(const Pixels& pixels, const Augmentation& options, RandomStream draw) {
  calm_opencv();
  Pixels result{pixels.image.contiguous(), pixels.mask.contiguous()};
  if (options.quarter_turns > 0) {
    result = turned_at_random(result, options.quarter_turns, draw);
  }
  if (options.scales()) {
    result = scaled_at_random(result, options, draw);
  }
  Augmentation of_image = options;
  of_image.scale_low = of_image.scale_high = 0;
  if (of_image.is_continuous()) {
    result.image = recoloured(result.image, options, draw);
  }
  return result;
}

}  // namespace leaf::data
