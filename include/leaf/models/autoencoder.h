#pragma once

#include <memory>

#include "leaf/models/model_config.h"
#include "leaf/nn/module.h"

namespace leaf::models {

/// Maps images to latents: the encoder half of an autoencoder, trained on its own in LEAF.
class LatentEncoder : public torch::nn::Module {
 public:
  /// image [N, 3, H, W] in [0, 1] -> scaled latent [N, L, H/f, W/f] (the mode, where it is a
  /// distribution)
  virtual at::Tensor encode(const at::Tensor& image) = 0;
};

/// A latent autoencoder. Ranges and scales of each kind stay inside it: images are in [0, 1] and
/// latents are scaled for diffusion on both sides.
class Autoencoder : public torch::nn::Module {
 public:
  /// image [N, 3, H, W] in [0, 1] -> scaled latent [N, L, H/f, W/f]
  virtual at::Tensor encode(const at::Tensor& image) = 0;
  /// scaled latent [N, L, h, w] -> image [N, 3, f*h, f*w], clamped to [0, 1]; see clamp_image
  virtual at::Tensor decode(const at::Tensor& latent) = 0;
};

/// Decoded values clamped to [0, 1], to the bit as at::clamp has them. One that is not finite
/// becomes NaN: clamping alone would make an infinity a colour like others.
at::Tensor clamp_image(const at::Tensor& decoded);

/// Networks with parameters that are allocated but not initialised (see nn::Layer).
std::shared_ptr<Autoencoder> make_autoencoder(const AutoencoderConfig& config);
std::shared_ptr<LatentEncoder> make_latent_encoder(const AutoencoderConfig& config, double dropout);

}  // namespace leaf::models
