#pragma once

#include <ATen/core/TensorBody.h>

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

struct LossOptions {
  DiffusionLoss diffusion = DiffusionLoss::kL1;
  double lambda = 0.0;
  CosineReduction reduction = CosineReduction::kMean;
};

/// Scalars. `distillation` is undefined without alignment.
struct StepLosses {
  at::Tensor prediction, distillation, total;
};

/// total = L_pred + lambda * L_distill (paper, section 2.3): one forward pass of the trained
/// networks. A pure function of its arguments, but for dropout.
StepLosses compute_losses(const TrainedParts& parts, const diffusion::NoiseScheduler& scheduler,
                          const StepInput& input, const LossOptions& options);

}  // namespace leaf
