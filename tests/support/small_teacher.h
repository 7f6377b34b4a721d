#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "images.h"
#include "leaf/config/config.h"
#include "leaf/data/dataset.h"
#include "leaf/train/build_model.h"
#include "models/unet.h"
#include "nn/module.h"
#include "small_networks.h"

namespace leaf::test {

constexpr std::int64_t kTeacherSide = 16;  // of its images

inline Config teacher_config() {
  Config config;
  config.model.init = ModelInit::kRandom;
  config.model.autoencoder = small_kl();
  config.model.unet = small_unet();
  config.data.resolution = kTeacherSide;
  config.alignment.teacher = "none";
  return config;
}

/// Fresh networks end in zeros; what ends in random numbers makes different masks of different
/// images.
inline TrainingModel random_teacher() {
  TrainingModel model = build_model(teacher_config());
  const at::NoGradGuard no_grad;
  for (auto& item : model.unet->named_parameters()) {
    if (!item.value().any().item<bool>()) {
      item.value().copy_(normal(item.value().sizes()) * 0.2);
    }
  }
  for (auto& network : {std::static_pointer_cast<torch::nn::Module>(model.unet),
                        std::static_pointer_cast<torch::nn::Module>(model.latent_encoder),
                        std::static_pointer_cast<torch::nn::Module>(model.autoencoder)}) {
    nn::freeze(*network);
  }
  return model;
}

/// What a light model of it is made by.
inline Config light_config(const std::filesystem::path& teacher = {}) {
  Config config = teacher_config();
  config.task = Task::kDistill;
  config.model.teacher = teacher;
  config.model.autoencoder = {
      .type = models::AutoencoderType::kTiny, .widths = {8, 16}, .blocks = 1};
  config.distill.halves_steps = 2;
  return config;
}

inline data::Batch random_batch(std::int64_t count = 2) {
  data::Batch batch;
  batch.images = images(count, kTeacherSide, kTeacherSide);
  batch.masks = (batch.images.narrow(1, 0, 1) > 0.5).to(at::kFloat);
  return batch;
}

}  // namespace leaf::test
