#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>

#include "feature_store.h"
#include "leaf/config/config.h"
#include "leaf/diffusion/noise_scheduler.h"
#include "leaf/pipeline/model.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"
#include "train/task.h"

namespace leaf {

/// kHalves: each network of a light model learns what the teacher's gives, by itself. kJoint: image
/// encoder, U-Net and decoder, what inference uses, learn the teacher's mask as one.
enum class DistillStage { kHalves, kJoint };

/// The networks of a light model.
struct LightParts {
  std::shared_ptr<models::LatentEncoder> image_encoder;
  std::shared_ptr<models::LatentEncoder> mask_encoder;
  std::shared_ptr<models::UNet> unet;
  std::shared_ptr<models::TinyLatentDecoder> decoder;
  bool learns_unet = false;
  /// kHalves: how much of the image latent that such a U-Net gets is the light encoder's, 0 to 1;
  /// the rest is the teacher's.
  double light_share = 0;
};

/// How latents are sampled: as inference does.
struct Sampling {
  const diffusion::NoiseScheduler& scheduler;
  std::int64_t steps = 1;
};

/// Everything that one step depends on besides the weights.
struct DistillInput {
  at::Tensor images;       ///< [N, 3, R, R] in [0, 1]
  at::Tensor mask_images;  ///< the same, the masks as images of the latent model; kHalves alone
  at::Tensor noise;        ///< [N, L, r, r], standard normal
};

/// What the teacher makes of it; float32.
struct DistillTargets {
  at::Tensor predicted_latents;    ///< sampled from the noise, [N, L, r, r]
  at::Tensor decoded_predictions;  ///< predicted_latents decoded, [N, 3, R, R] in [0, 1]
  // kHalves alone:
  at::Tensor image_latents;
  at::Tensor mask_latents;  ///< of the true masks
  at::Tensor decoded_masks;
};

/// Standard normal [N, ...] on the CPU: of each sample a function of seed and pixels, so that the
/// teacher need look at it only once. `images` [N, 3, R, R] and `masks` [N, 1, R, R], on the CPU.
at::Tensor sample_noise(std::uint64_t seed, const at::Tensor& images, const at::Tensor& masks,
                        at::IntArrayRef shape);

/// The targets as a FeatureStore keeps them, and back.
Features to_features(const DistillTargets& targets);
DistillTargets to_targets(const Features& features);

/// Without gradients.
DistillTargets distill_targets(const TrainingModel& teacher, const Sampling& sampling,
                               const DistillInput& input, DistillStage stage);

/// The losses of a stage and their sum. A pure function of its arguments, but for dropout.
///
/// Masks are compared as decoded images by losses::edge_l1 and, with a dice_weight, so many times
/// losses::soft_dice.
/// kHalves: loss_image_encoder and loss_mask_encoder, the mean squared errors of the latents of
/// image and mask; loss_decoder, of the masks: the mean over the latents of true and of predicted
/// masks; with a U-Net that learns loss_unet, L1 of the latent that it predicts, from a blend of
/// the teacher's image latent and the light encoder's, whose gradient it does not pass on. kJoint:
/// loss_latent, L1 of the latent that the light image encoder and U-Net predict, and loss_mask, of
/// what the light decoder makes of it. Gradients pass through a frozen U-Net.
TaskLoss distill_losses(const LightParts& light, const Sampling& sampling,
                        const DistillInput& input, const DistillTargets& targets,
                        DistillStage stage, const DistillSection& weights);

}  // namespace leaf
