#pragma once

#include "leaf/pipeline/model.h"
#include "models/autoencoder.h"
#include "nn/module.h"
#include "support/small_networks.h"

// Small models to be saved in folders.
namespace leaf::test {

/// Every value that a folder keeps differs from its default.
inline ModelDescription kl_description() {
  ModelDescription description;
  description.autoencoder = small_kl();
  description.autoencoder.latent_channels = 6;
  description.autoencoder.scaling_factor = 0.5;
  description.unet = small_unet(6);
  description.unet.dropout = 0.3;
  description.latent_encoder_dropout = 0.1;
  description.scheduler = {.beta_schedule = diffusion::BetaSchedule::kScaledLinear,
                           .beta_start = 0.001,
                           .beta_end = 0.02,
                           .num_train_timesteps = 500,
                           .prediction_type = diffusion::PredictionType::kVPrediction,
                           .clip_sample = false,
                           .clip_sample_range = 2.0,
                           .ddim = {.set_alpha_to_one = false,
                                    .steps_offset = 1,
                                    .timestep_spacing = diffusion::TimestepSpacing::kTrailing}};
  description.preprocessing = {.resolution = 16,
                               .intensity = {data::IntensityRule::kWindow, -1000, 400.5},
                               .threshold = 0.25,
                               .classes = {.list = {{"background", {}}, {"polyp", {}}}}};
  return description;
}

/// KL latents, eightfold smaller than the image, that a tiny decoder takes as well.
inline ModelDescription kl_with_tiny_decoder() {
  ModelDescription description;
  description.autoencoder = small_kl();
  description.autoencoder.ch_mult = {1, 1, 1, 1};
  description.decoder = {.type = models::AutoencoderType::kTiny};
  description.unet = small_unet();
  description.preprocessing.resolution = 32;
  return description;
}

/// A model with random weights.
inline TrainingModel fresh_model(const ModelDescription& description) {
  TrainingModel model = make_model(description);
  initialise(model, 3);
  nn::initialise(*model.latent_encoder, 4);  // trained apart, so no copy
  return model;
}

}  // namespace leaf::test
