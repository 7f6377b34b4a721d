#include "leaf/models/autoencoder.h"

#include <ATen/ATen.h>

#include "leaf/models/autoencoder_kl.h"
#include "leaf/models/autoencoder_tiny.h"

namespace leaf::models {

at::Tensor clamp_image(const at::Tensor& decoded) { return decoded.clamp(0, 1) + decoded * 0; }

std::shared_ptr<Autoencoder> make_autoencoder(const AutoencoderConfig& config) {
  if (config.type == AutoencoderType::kTiny) {
    return std::make_shared<AutoencoderTiny>(config);
  }
  return std::make_shared<AutoencoderKL>(config);
}

std::shared_ptr<LatentEncoder> make_latent_encoder(const AutoencoderConfig& config,
                                                   double dropout) {
  if (config.type == AutoencoderType::kTiny) {
    return std::make_shared<TinyLatentEncoder>(config);
  }
  return std::make_shared<KlLatentEncoder>(config, dropout);
}

}  // namespace leaf::models
