#include "leaf/models/autoencoder.h"

#include "leaf/models/autoencoder_kl.h"
#include "leaf/models/autoencoder_tiny.h"

namespace leaf::models {

std::int64_t downsampling(const AutoencoderConfig& config) {
  constexpr std::int64_t kTinyDownsampling = 8;
  return config.type == AutoencoderType::kTiny ? kTinyDownsampling
                                               : std::int64_t{1} << (config.ch_mult.size() - 1);
}

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
