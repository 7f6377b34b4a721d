#pragma once

#include <memory>

#include "leaf/models/model_config.h"
#include "nn/module.h"

namespace leaf::models {

/// Maps images to the latents of diffusion. Ranges and scales of each kind stay inside it.
class LatentEncoder : public torch::nn::Module {
 public:
  /// image [N, 3, H, W] in [0, 1] -> scaled latent [N, L, H/f, W/f] (the mode, where it is a
  /// distribution)
  virtual at::Tensor encode(const at::Tensor& image) = 0;
};

/// Maps the latents of diffusion to images. Any decoder of the same latents can stand in for
/// another.
class LatentDecoder : public torch::nn::Module {
 public:
  /// scaled latent [N, L, h, w] -> image [N, 3, f*h, f*w], clamped to [0, 1]; see clamp_image
  virtual at::Tensor decode(const at::Tensor& latent) = 0;
};

/// Decoded values clamped to [0, 1], to the bit as at::clamp has them. One that is not finite
/// becomes NaN: clamping alone would make an infinity a colour like others.
at::Tensor clamp_image(const at::Tensor& decoded);

/// An encoder and a decoder of the same latents as one module, which has the keys of both: what an
/// autoencoder is where it is trained, stored or converted as a whole.
class Autoencoder : public torch::nn::Module {
 public:
  Autoencoder(std::shared_ptr<LatentEncoder> encoder, std::shared_ptr<LatentDecoder> decoder);

  const std::shared_ptr<LatentEncoder>& encoder() const { return encoder_; }
  const std::shared_ptr<LatentDecoder>& decoder() const { return decoder_; }

 private:
  std::shared_ptr<LatentEncoder> encoder_;
  std::shared_ptr<LatentDecoder> decoder_;
};

/// Networks with parameters that are allocated but not initialised (see nn::Layer).
std::shared_ptr<LatentEncoder> make_latent_encoder(const AutoencoderConfig& config, double dropout);
std::shared_ptr<LatentDecoder> make_latent_decoder(const AutoencoderConfig& config);
/// Both, without dropout.
std::shared_ptr<Autoencoder> make_autoencoder(const AutoencoderConfig& config);

}  // namespace leaf::models
