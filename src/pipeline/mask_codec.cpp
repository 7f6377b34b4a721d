#include "pipeline/mask_codec.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

constexpr std::int64_t kTwo = 2;

/// Corners of the colour cube. The first four are those of a tetrahedron, every two of them as far
/// apart as any four points of the cube can be (the square root of 2); all eight are 1 apart.
constexpr std::array<std::array<bool, 3>, data::kMostClasses> kCorners{{{false, false, false},
                                                                        {true, true, false},
                                                                        {true, false, true},
                                                                        {false, true, true},
                                                                        {true, true, true},
                                                                        {true, false, false},
                                                                        {false, true, false},
                                                                        {false, false, true}}};
constexpr std::int64_t kTetrahedron = 4;

}  // namespace

std::array<bool, 3> MaskCodec::colour(std::int64_t label) const {
  if (classes_ == kTwo) {
    return {label > 0, label > 0, label > 0};
  }
  if (coding_ == data::ClassCoding::kChannels) {
    return {label > 0, label > 1, label > 2};
  }
  return kCorners.at(static_cast<std::size_t>(label));
}

at::Tensor MaskCodec::to_image(const at::Tensor& masks) const {
  if (classes_ == kTwo) {
    return masks.expand({-1, 3, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast);
  }
  std::vector<at::Tensor> channels(3, at::zeros_like(masks));
  for (std::int64_t label = 1; label < classes_; ++label) {
    const at::Tensor here = masks.eq(label);
    for (std::size_t channel = 0; channel < 3; ++channel) {
      if (colour(label)[channel]) {
        channels[channel] = channels[channel] + here;
      }
    }
  }
  return at::cat(channels, 1).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor MaskCodec::to_probability(const at::Tensor& image) const {
  if (classes_ == kTwo) {
    return image.mean({1}, /*keepdim=*/true);
  }
  if (coding_ == data::ClassCoding::kColours) {
    return nearness(image).narrow(1, 1, channels());
  }
  std::vector<at::Tensor> nested{image.narrow(1, 0, 1)};
  for (std::int64_t channel = 1; channel < channels(); ++channel) {
    nested.push_back(at::minimum(nested.back(), image.narrow(1, channel, 1)));
  }
  return at::cat(nested, 1);
}

/// Softmax of -d^2 over all classes, scaled so that at a colour of its own a class is e^8 times as
/// probable as the nearest other. The image's own square is in all of them and left out: what
/// remains of -d^2 is twice the colour's channels less their number.
at::Tensor MaskCodec::nearness(const at::Tensor& image) const {
  constexpr double kOwn = 8;
  const double nearest = classes_ <= kTetrahedron ? 2 : 1;
  std::vector<at::Tensor> scores;
  for (std::int64_t label = 0; label < classes_; ++label) {
    at::Tensor score = at::zeros_like(image.narrow(1, 0, 1));
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      if (colour(label)[static_cast<std::size_t>(channel)]) {
        score = score + (2 * image.narrow(1, channel, 1) - 1);
      }
    }
    scores.push_back(score);
  }
  return at::softmax(at::cat(scores, 1) * (kOwn / nearest), 1);
}

at::Tensor MaskCodec::to_labels(const at::Tensor& probability, double threshold) const {
  if (classes_ == kTwo) {
    return (probability.select(-3, 0) > threshold).to(at::kByte);
  }
  if (coding_ == data::ClassCoding::kChannels) {
    return (probability > threshold).sum(-3).to(at::kByte);
  }
  const at::Tensor background = 1 - probability.sum(-3, /*keepdim=*/true);
  return at::cat({background, probability}, -3).argmax(-3).to(at::kByte);
}

at::Tensor MaskCodec::target(const at::Tensor& probability) const {
  const bool parts = classes_ > kTwo && coding_ == data::ClassCoding::kColours;
  return parts ? probability.sum(-3).clamp(0, 1) : probability.select(-3, 0);
}

at::Tensor spread_not_finite(const at::Tensor& values) {
  const at::Tensor zero = values.flatten(1).sum(1) * 0;  // NaN where the sum is no number
  return values + zero.to(values.scalar_type()).view({-1, 1, 1, 1});
}

void require_finite(const at::Tensor& probability, const std::string& name) {
  if (!std::isfinite(probability.sum().item<double>())) {
    throw DataError(str("'", name,
                        "': the model's result is not finite (NaN or infinity), so there is no "
                        "mask; its weights do not fit such an image"));
  }
}

}  // namespace leaf
