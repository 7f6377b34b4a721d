#include "distill_step.h"

#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "diffusion/sampler.h"
#include "leaf/core/random.h"
#include "losses/losses.h"
#include "models/autoencoder.h"

namespace leaf {
namespace {

at::Tensor predicted_latents(const models::UNet& unet, const Sampling& sampling,
                             const at::Tensor& image_latents, const at::Tensor& noise) {
  const auto denoise = [&](const at::Tensor& noisy, const at::Tensor& timestep) {
    return unet.forward(at::cat({image_latents, noisy}, 1), timestep).to(at::kFloat);
  };
  return diffusion::sample(sampling.scheduler, denoise, noise, sampling.steps);
}

at::Tensor encoded(models::LatentEncoder& encoder, const at::Tensor& images) {
  return encoder.encode(images).to(at::kFloat);
}

at::Tensor decoded(const models::TinyLatentDecoder& decoder, const at::Tensor& latents) {
  return decoder.decode_raw(latents).to(at::kFloat);
}

/// Of what the light decoder makes of `latents`, against what the teacher's makes of its own.
at::Tensor mask_loss(const LightParts& light, const at::Tensor& latents, const at::Tensor& target,
                     const DistillSection& weights) {
  const at::Tensor image = decoded(*light.decoder, latents);
  const at::Tensor l1 = losses::edge_l1(image, target, weights.edge_weight);
  return weights.dice_weight > 0 ? l1 + weights.dice_weight * losses::soft_dice(image, target) : l1;
}

std::map<std::string, at::Tensor> halves_losses(const LightParts& light, const Sampling& sampling,
                                                const DistillInput& input,
                                                const DistillTargets& targets,
                                                const DistillSection& weights) {
  const auto decoder_loss = [&](const at::Tensor& latents, const at::Tensor& target) {
    return mask_loss(light, latents, target, weights);
  };
  const at::Tensor image_latents = encoded(*light.image_encoder, input.images);
  std::map<std::string, at::Tensor> terms{
      {"loss_image_encoder", at::mse_loss(image_latents, targets.image_latents)},
      {"loss_mask_encoder",
       at::mse_loss(encoded(*light.mask_encoder, input.mask_images), targets.mask_latents)},
      {"loss_decoder", (decoder_loss(targets.mask_latents, targets.decoded_masks) +
                        decoder_loss(targets.predicted_latents, targets.decoded_predictions)) /
                           2}};
  if (light.learns_unet) {
    const at::Tensor blend =
        at::lerp(targets.image_latents, image_latents.detach(), light.light_share);
    terms["loss_unet"] = losses::l1(predicted_latents(*light.unet, sampling, blend, input.noise),
                                    targets.predicted_latents);
  }
  return terms;
}

std::map<std::string, at::Tensor> joint_losses(const LightParts& light, const Sampling& sampling,
                                               const DistillInput& input,
                                               const DistillTargets& targets,
                                               const DistillSection& weights) {
  const at::Tensor latents = predicted_latents(
      *light.unet, sampling, encoded(*light.image_encoder, input.images), input.noise);
  return {{"loss_latent", losses::l1(latents, targets.predicted_latents)},
          {"loss_mask", mask_loss(light, latents, targets.decoded_predictions, weights)}};
}

/// In the order of Features.
constexpr std::array kTargets{&DistillTargets::predicted_latents,
                              &DistillTargets::decoded_predictions, &DistillTargets::image_latents,
                              &DistillTargets::mask_latents, &DistillTargets::decoded_masks};

}  // namespace

at::Tensor sample_noise(std::uint64_t seed, const at::Tensor& images, const at::Tensor& masks,
                        at::IntArrayRef shape) {
  std::vector<at::Tensor> noise;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const FeatureKey key = feature_key(images[i], masks[i]);
    noise.push_back(normal_tensor(shape, RandomStream(seed, Purpose::kNoise, key[0], key[1])));
  }
  return at::stack(noise);
}

Features to_features(const DistillTargets& targets) {
  Features features;
  for (const auto target : kTargets) {
    features.push_back(targets.*target);
  }
  return features;
}

DistillTargets to_targets(const Features& features) {
  DistillTargets targets;
  for (std::size_t i = 0; i < kTargets.size(); ++i) {
    targets.*kTargets[i] = features[i];
  }
  return targets;
}

DistillTargets distill_targets(const TrainingModel& teacher, const Sampling& sampling,
                               const DistillInput& input, DistillStage stage) {
  const at::NoGradGuard no_grad;
  const auto decode = [&](const at::Tensor& latents) {
    return teacher.decoder->decode(latents).to(at::kFloat);
  };
  const at::Tensor image_latents = encoded(*teacher.latent_encoder, input.images);
  DistillTargets targets;
  targets.predicted_latents =
      predicted_latents(*teacher.unet, sampling, image_latents, input.noise);
  targets.decoded_predictions = decode(targets.predicted_latents);
  if (stage == DistillStage::kHalves) {
    targets.image_latents = image_latents;
    targets.mask_latents = encoded(*teacher.autoencoder->encoder(), input.mask_images);
    targets.decoded_masks = decode(targets.mask_latents);
  }
  return targets;
}

TaskLoss distill_losses(const LightParts& light, const Sampling& sampling,
                        const DistillInput& input, const DistillTargets& targets,
                        DistillStage stage, const DistillSection& weights) {
  TaskLoss loss;
  loss.parts = stage == DistillStage::kHalves
                   ? halves_losses(light, sampling, input, targets, weights)
                   : joint_losses(light, sampling, input, targets, weights);
  for (const auto& [name, term] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + term : term;
  }
  return loss;
}

}  // namespace leaf
