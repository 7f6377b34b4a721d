#include "leaf/pipeline/model.h"

#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/nn/module.h"

namespace leaf {

Model make_model(const ModelDescription& description) {
  Model model;
  model.description = description;
  model.autoencoder = models::make_autoencoder(description.autoencoder);
  model.latent_encoder =
      models::make_latent_encoder(description.autoencoder, description.latent_encoder_dropout);
  model.unet = std::make_shared<models::UNet>(description.unet);
  return model;
}

void initialise(Model& model, std::uint64_t seed) {
  nn::initialise(*model.autoencoder, seed);
  nn::initialise(*model.unet, seed);
  nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
}

}  // namespace leaf
