#include "models/autoencoder.h"

#include <ATen/ATen.h>

#include <utility>

#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"

namespace leaf::models {

at::Tensor clamp_image(const at::Tensor& decoded) { return decoded.clamp(0, 1) + decoded * 0; }

Autoencoder::Autoencoder(std::shared_ptr<LatentEncoder> encoder,
                         std::shared_ptr<LatentDecoder> decoder)
    : encoder_(std::move(encoder)), decoder_(std::move(decoder)) {
  const auto adopt_parts = [this](const torch::nn::Module& half) {
    for (const auto& part : half.named_children()) {
      register_module(part.key(), part.value());
    }
  };
  adopt_parts(*encoder_);
  adopt_parts(*decoder_);
}

std::shared_ptr<LatentEncoder> make_latent_encoder(const AutoencoderConfig& config,
                                                   double dropout) {
  if (config.type == AutoencoderType::kTiny) {
    return std::make_shared<TinyLatentEncoder>(config);
  }
  return std::make_shared<KlLatentEncoder>(config, dropout);
}

std::shared_ptr<LatentDecoder> make_latent_decoder(const AutoencoderConfig& config) {
  if (config.type == AutoencoderType::kTiny) {
    return std::make_shared<TinyLatentDecoder>(config);
  }
  return std::make_shared<KlLatentDecoder>(config);
}

std::shared_ptr<Autoencoder> make_autoencoder(const AutoencoderConfig& config) {
  return std::make_shared<Autoencoder>(make_latent_encoder(config, /*dropout=*/0.0),
                                       make_latent_decoder(config));
}

}  // namespace leaf::models
