#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <string>

#include "leaf/config/config.h"
#include "leaf/diffusion/noise_scheduler.h"
#include "models/autoencoder.h"
#include "models/feature_projector.h"
#include "models/unet.h"

namespace leaf {

/// The networks that learn.
struct TrainedParts {
  std::shared_ptr<models::UNet> unet;
  std::shared_ptr<models::LatentEncoder> latent_encoder;
  std::shared_ptr<models::FeatureProjector> projector;  ///< null without alignment
  std::string tap;  ///< the activation of the U-Net that the projector takes (AlignmentTap)
};

/// Everything that one step's losses depend on besides the weights.
struct StepInput {
  at::Tensor images;          ///< [N, 3, R, R] in [0, 1]
  at::Tensor mask_latents;    ///< [N, L, r, r], scaled, from the frozen autoencoder
  at::Tensor noise;           ///< [N, L, r, r], standard normal
  at::Tensor timesteps;       ///< [N] int64 in 0 .. T-1
  at::Tensor teacher_tokens;  ///< [N, T, D]; undefined without alignment
};

/// Standard normal [N, L, r, r] on the CPU: of each sample a function of seed, step and place in
/// the batch.
at::Tensor step_noise(std::uint64_t seed, std::int64_t step, at::IntArrayRef shape);

/// Draws the timestep and the noise of every sample of `input`, which has its latents: functions of
/// seed, step and place in the batch.
void draw_noise(std::uint64_t seed, std::int64_t step, const DiffusionSection& diffusion,
                StepInput& input);

struct LossOptions {
  DiffusionLoss diffusion = DiffusionLoss::kL1;
  double lambda = 0.0;
  CosineReduction reduction = CosineReduction::kMean;
};

/// Scalars; terms that the options leave out are undefined.
struct StepLosses {
  at::Tensor prediction;    ///< L1 on the predicted quantity
  at::Tensor latent;        ///< L1 on the latent recovered from it (DiffusionLoss::kSdseg)
  at::Tensor distillation;  ///< with alignment
  at::Tensor total;
};

/// total = L_pred + L_latent + lambda * L_distill (paper, section 2.3, which has no L_latent): one
/// forward pass of the trained networks. A pure function of its arguments, but for dropout.
StepLosses compute_losses(const TrainedParts& parts, const diffusion::NoiseScheduler& scheduler,
                          const StepInput& input, const LossOptions& options);

}  // namespace leaf
