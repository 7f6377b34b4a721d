#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/autoencoder.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/recompute.h"

namespace leaf::models {

/// GroupNorm(32), SiLU, 3x3 convolution, twice, with a skip. Keys as in CompVis latent-diffusion.
class KlResidualBlock : public nn::Recomputable {
 public:
  KlResidualBlock(std::int64_t in_channels, std::int64_t out_channels, double dropout);
  /// x [N, C_in, H, W] -> [N, C_out, H, W]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  /// What surrounds the second convolution, but for the skip.
  ops::ConvContext around_second() const;
  at::Tensor skip(const at::Tensor& x) const;

  std::shared_ptr<nn::GroupNorm> norm1_, norm2_;
  std::shared_ptr<nn::Conv2d> conv1_, conv2_, nin_shortcut_;
  double dropout_;
};

/// Single-head self-attention over all positions, with a skip.
class KlAttentionBlock : public nn::Recomputable {
 public:
  explicit KlAttentionBlock(std::int64_t channels);
  /// x [N, C, H, W] -> same shape
  at::Tensor forward(const at::Tensor& x) const;

 private:
  /// The mixed values of all positions, before the last convolution.
  at::Tensor mixed(const at::Tensor& x) const;

  std::shared_ptr<nn::GroupNorm> norm_;
  std::shared_ptr<nn::Conv2d> q_, k_, v_, proj_out_;
};

/// Residual block, attention, residual block at the deepest level. Keys block_1, attn_1, block_2.
class KlMiddle : public torch::nn::Module {
 public:
  KlMiddle(std::int64_t channels, double dropout);
  /// x [N, C, H, W] -> same shape. Recorded names: its keys.
  at::Tensor forward(const at::Tensor& x, const nn::Recorder& recorder = {}) const;

 private:
  std::shared_ptr<KlResidualBlock> block_1_, block_2_;
  std::shared_ptr<KlAttentionBlock> attn_1_;
};

/// image [N, 3, H, W] -> [N, 2*L, H/f, W/f]. Recorded names: conv_in, down.I.block.J,
/// down.I.downsample, mid and its blocks, conv_out.
class KlEncoder : public torch::nn::Module {
 public:
  KlEncoder(const AutoencoderConfig& config, double dropout);
  at::Tensor forward(const at::Tensor& x, const nn::Recorder& recorder = {}) const;

 private:
  struct Level {
    std::vector<std::shared_ptr<KlResidualBlock>> blocks;
    std::shared_ptr<nn::Conv2d> downsample;  // null at the last level
  };
  std::shared_ptr<nn::Conv2d> conv_in_, conv_out_;
  std::vector<Level> levels_;
  std::shared_ptr<KlMiddle> mid_;
  std::shared_ptr<nn::GroupNorm> norm_out_;
};

/// latent [N, L, h, w] -> image [N, 3, f*h, f*w]. Recorded names: conv_in, mid and its blocks,
/// up.I.block.J, up.I.upsample, conv_out.
class KlDecoder : public torch::nn::Module {
 public:
  explicit KlDecoder(const AutoencoderConfig& config);
  at::Tensor forward(const at::Tensor& z, const nn::Recorder& recorder = {}) const;

 private:
  struct Level {
    std::vector<std::shared_ptr<KlResidualBlock>> blocks;
    std::shared_ptr<nn::Conv2d> upsample;  // null at level 0
  };
  std::shared_ptr<nn::Conv2d> conv_in_, conv_out_;
  std::vector<Level> levels_;  // by level: run from the last to the first
  std::shared_ptr<KlMiddle> mid_;
  std::shared_ptr<nn::GroupNorm> norm_out_;
};

/// The encoder of a KL autoencoder (CompVis `kl-f8` at the default configuration): of masks, and
/// with dropout the trained encoder of images. Keys: encoder, quant_conv.
class KlLatentEncoder : public LatentEncoder {
 public:
  KlLatentEncoder(const AutoencoderConfig& config, double dropout);
  at::Tensor encode(const at::Tensor& image) override;

  /// image [N, 3, H, W] in [0, 1] -> moments (mean, log variance) [N, 2*L, H/f, W/f], not scaled.
  /// Recorded names: encoder, quant_conv and what is inside.
  at::Tensor moments(const at::Tensor& image, nn::Activations* activations = nullptr) const;
  /// From now on latents are multiplied by `factor`, in place of the configuration's.
  void set_scaling_factor(double factor) { scaling_factor_ = factor; }
  /// Multiplies the distribution's mean and standard deviation by `factor` from now on.
  void rescale(double factor);

 private:
  std::shared_ptr<KlEncoder> encoder_;
  std::shared_ptr<nn::Conv2d> quant_conv_;
  std::int64_t latent_channels_;
  double scaling_factor_;
};

/// The decoder of a KL autoencoder. Keys: post_quant_conv, decoder.
class KlLatentDecoder : public LatentDecoder {
 public:
  explicit KlLatentDecoder(const AutoencoderConfig& config);
  at::Tensor decode(const at::Tensor& latent) override;

  /// unscaled latent [N, L, h, w] -> image in about [-1, 1], not clamped (training, golden
  /// numbers). Recorded names: post_quant_conv, decoder and what is inside.
  at::Tensor decode_raw(const at::Tensor& latent, nn::Activations* activations = nullptr) const;
  /// From now on latents are divided by `factor`, in place of the configuration's.
  void set_scaling_factor(double factor) { scaling_factor_ = factor; }
  /// From now on takes latents that are multiplied by `factor` for what they were.
  void rescale(double factor);

 private:
  std::shared_ptr<nn::Conv2d> post_quant_conv_;
  std::shared_ptr<KlDecoder> decoder_;
  double scaling_factor_;
};

}  // namespace leaf::models
