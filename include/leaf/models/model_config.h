#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "leaf/core/enum_names.h"

namespace leaf::models {

enum class AutoencoderType { kKl, kTiny };
inline EnumNames<AutoencoderType> enum_names(AutoencoderType /*tag*/) {
  return {{AutoencoderType::kKl, "kl"}, {AutoencoderType::kTiny, "tiny"}};
}

/// Variants of the tiny autoencoder: kTaesd (plain blocks) and kTaef2 (with pooling blocks).
enum class TinyVariant { kTaesd, kTaef2 };
inline EnumNames<TinyVariant> enum_names(TinyVariant /*tag*/) {
  return {{TinyVariant::kTaesd, "taesd"}, {TinyVariant::kTaef2, "taef2"}};
}

/// A latent autoencoder. The defaults are CompVis `kl-f8`, the paper's. Downsampling is
/// 2^(levels - 1): of ch_mult for kKl, of widths for kTiny.
struct AutoencoderConfig {
  AutoencoderType type = AutoencoderType::kKl;
  /// Numbers at a position of the latent.
  std::int64_t latent_channels = 4;
  /// kKl only: base width, multipliers per level, residual blocks per level.
  std::int64_t ch = 128;
  std::vector<std::int64_t> ch_mult{1, 2, 4, 4};
  std::int64_t num_res_blocks = 2;
  /// kKl only: latents are multiplied by this after encoding and divided by it before decoding.
  double scaling_factor = 0.18215;
  /// kTiny only.
  TinyVariant variant = TinyVariant::kTaesd;
  /// kTiny only: width of each level, that of the image's own size first, and blocks per level; the
  /// first level has one. The defaults are TAESD's.
  std::vector<std::int64_t> widths{64, 64, 64, 64};
  std::int64_t blocks = 3;

  bool operator==(const AutoencoderConfig&) const = default;
};

/// f: how many pixels of the image, along one side, one position of the latent stands for.
inline std::int64_t downsampling(const AutoencoderConfig& config) {
  const auto& levels = config.type == AutoencoderType::kTiny ? config.widths : config.ch_mult;
  return std::int64_t{1} << (levels.size() - 1);
}

/// The denoising U-Net (CompVis `UNetModel`); the defaults are the paper's. Its channels follow
/// from the autoencoder: in = 2 x latent channels, out = latent channels.
struct UNetConfig {
  std::int64_t in_channels = 8;
  std::int64_t out_channels = 4;
  /// Base width, multipliers per level, residual blocks per level.
  std::int64_t model_channels = 192;
  std::vector<std::int64_t> channel_mult{1, 2, 2, 4, 4};
  std::int64_t num_res_blocks = 2;
  /// Downsampling rates (relative to the latent) at which attention blocks stand.
  std::vector<std::int64_t> attention_resolutions{1, 2, 4, 8};
  /// Heads of each attention block.
  std::int64_t num_heads = 8;
  /// Probability, in training.
  double dropout = 0.2;
};

/// Group normalisation in autoencoder and U-Net: every width is a multiple of this.
inline constexpr std::int64_t kNormGroups = 32;

/// The first level with attention whose width the heads cannot share; nothing where all can.
/// Attention stands at the chosen levels and always in the middle, which has the last one's width.
inline std::optional<std::size_t> level_that_heads_do_not_divide(const UNetConfig& config) {
  const auto& rates = config.attention_resolutions;
  for (std::size_t level = 0; level < config.channel_mult.size(); ++level) {
    const bool attends = level + 1 == config.channel_mult.size() ||
                         std::count(rates.begin(), rates.end(), std::int64_t{1} << level) > 0;
    const std::int64_t width = config.model_channels * config.channel_mult[level];
    if (attends && (config.num_heads < 1 || width % config.num_heads != 0)) {
      return level;
    }
  }
  return std::nullopt;
}

}  // namespace leaf::models
