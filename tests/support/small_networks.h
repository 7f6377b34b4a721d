#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

#include "leaf/core/random.h"
#include "leaf/models/model_config.h"

namespace leaf::test {

using Shape = std::vector<std::int64_t>;

/// Standard normal values, a function of shape and seed.
inline at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed = 1) {
  return normal_tensor(shape, RandomStream(seed, Purpose::kNoise));
}

/// Images in (0, 1): [N, 3, height, width].
inline at::Tensor images(std::int64_t count, std::int64_t height, std::int64_t width,
                         std::uint64_t seed = 1) {
  return normal({count, 3, height, width}, seed).sigmoid();
}

/// A KL autoencoder that halves the image.
inline models::AutoencoderConfig small_kl() {
  return {.ch = 32, .ch_mult = {1, 1}, .num_res_blocks = 1};
}

/// Two levels; the tap is input_blocks.2, the second level starts at input_blocks.3.
inline models::UNetConfig small_unet(std::int64_t latent_channels = 4) {
  return {.in_channels = 2 * latent_channels,
          .out_channels = latent_channels,
          .model_channels = 32,
          .channel_mult = {1, 2},
          .num_res_blocks = 1,
          .attention_resolutions = {1},
          .num_heads = 4,
          .dropout = 0.0};
}

/// Scalars in all parameters whose names start with `prefix`.
inline std::int64_t parameter_count(const torch::nn::Module& module,
                                    const std::string& prefix = "") {
  std::int64_t count = 0;
  for (const auto& item : module.named_parameters()) {
    count += item.key().starts_with(prefix) ? item.value().numel() : 0;
  }
  return count;
}

/// The names whose values differ, or which only one of the two has; empty for equal networks.
inline std::vector<std::string> differences(const torch::nn::Module& a,
                                            const torch::nn::Module& b) {
  const auto others = b.named_parameters();
  std::vector<std::string> names;
  for (const auto& item : a.named_parameters()) {
    const at::Tensor* other = others.find(item.key());
    if (other == nullptr || !at::equal(item.value(), *other)) {
      names.push_back(item.key());
    }
  }
  if (others.size() != a.named_parameters().size()) {
    names.emplace_back("(their number)");
  }
  return names;
}

/// Largest difference of any element, in double.
inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

}  // namespace leaf::test
