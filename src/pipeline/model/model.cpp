#include "leaf/pipeline/model.h"

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "nn/module.h"

namespace leaf {
namespace {

void check_decoder(const models::AutoencoderConfig& autoencoder,
                   const models::AutoencoderConfig& decoder) {
  const auto text = [](const models::AutoencoderConfig& config) {
    return str(config.latent_channels, " channels, ", models::downsampling(config),
               " pixels a position");
  };
  if (text(decoder) != text(autoencoder)) {
    throw WeightsError(str("the decoder takes other latents (", text(decoder),
                           ") than the autoencoder makes (", text(autoencoder), ")"));
  }
}

}  // namespace

Model make_inference_model(const ModelDescription& description) {
  const models::AutoencoderConfig decoder = description.decoder.value_or(description.autoencoder);
  check_decoder(description.autoencoder, decoder);
  return {.description = description,
          .latent_encoder = models::make_latent_encoder(description.autoencoder,
                                                        description.latent_encoder_dropout),
          .unet = std::make_shared<models::UNet>(description.unet),
          .decoder = models::make_latent_decoder(decoder)};
}

TrainingModel make_model(const ModelDescription& description) {
  TrainingModel model{make_inference_model(description),
                      models::make_autoencoder(description.autoencoder)};
  if (!description.decoder) {
    model.decoder = model.autoencoder->decoder();
  }
  return model;
}

std::int64_t parameter_count(const Model& model) {
  std::int64_t count = 0;
  const auto add = [&](const torch::nn::Module& network) {
    for (const at::Tensor& parameter : network.parameters()) {
      count += parameter.numel();
    }
  };
  add(*model.latent_encoder);
  add(*model.unet);
  add(*model.decoder);
  return count;
}

void initialise(TrainingModel& model, std::uint64_t seed) {
  nn::initialise(*model.autoencoder, seed);
  nn::initialise(*model.unet, seed);
  if (model.description.decoder) {
    nn::initialise(*model.decoder, seed);
  }
  nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
}

}  // namespace leaf
