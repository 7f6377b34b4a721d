#pragma once

#include <cstdint>
#include <memory>

#include "leaf/models/model_config.h"
#include "nn/layers.h"

// The layers that autoencoder and U-Net are made of.
namespace leaf::models {

inline std::shared_ptr<nn::GroupNorm> make_norm(std::int64_t channels, double eps) {
  return std::make_shared<nn::GroupNorm>(kNormGroups, channels, eps);
}

/// 3x3, stride 1, padding 1.
inline std::shared_ptr<nn::Conv2d> make_conv(std::int64_t in_channels, std::int64_t out_channels,
                                             bool zero_init = false) {
  return std::make_shared<nn::Conv2d>(nn::Conv2dOptions{
      .in_channels = in_channels, .out_channels = out_channels, .zero_init = zero_init});
}

}  // namespace leaf::models
