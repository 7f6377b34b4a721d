#include "train/train_step.h"

#include <ATen/ATen.h>

#include "losses/losses.h"

namespace leaf {
namespace {

/// kL1: the paper's L1 on the predicted quantity. kSdseg adds L1 on the recovered latent.
at::Tensor prediction_loss(const diffusion::NoiseScheduler& scheduler, const StepInput& input,
                           const at::Tensor& prediction, const at::Tensor& noisy,
                           DiffusionLoss kind) {
  const at::Tensor target =
      scheduler.training_target(input.mask_latents, input.noise, input.timesteps);
  const at::Tensor loss = losses::l1(prediction, target);
  if (kind == DiffusionLoss::kL1) {
    return loss;
  }
  return loss + losses::l1(scheduler.recover_latent(prediction, noisy, input.timesteps),
                           input.mask_latents);
}

at::Tensor distillation_loss(const models::FeatureProjector& projector, const at::Tensor& features,
                             const at::Tensor& teacher_tokens, CosineReduction reduction) {
  const at::Tensor projected = projector.forward(features).to(at::kFloat);
  const at::Tensor loss = losses::cosine_distillation(teacher_tokens.to(at::kFloat), projected);
  return reduction == CosineReduction::kReference ? loss / features.size(0) : loss;
}

}  // namespace

StepLosses compute_losses(const TrainedParts& parts, const diffusion::NoiseScheduler& scheduler,
                          const StepInput& input, const LossOptions& options) {
  nn::Activations activations({parts.tap});
  const at::Tensor noisy = scheduler.add_noise(input.mask_latents, input.noise, input.timesteps);
  const at::Tensor image_latents = parts.latent_encoder->encode(input.images).to(at::kFloat);
  const at::Tensor prediction =
      parts.unet->forward(at::cat({image_latents, noisy}, 1), input.timesteps, &activations)
          .to(at::kFloat);

  StepLosses losses;
  losses.prediction = prediction_loss(scheduler, input, prediction, noisy, options.diffusion);
  losses.total = losses.prediction;
  if (parts.projector && input.teacher_tokens.defined()) {
    losses.distillation = distillation_loss(*parts.projector, activations.at(parts.tap),
                                            input.teacher_tokens, options.reduction);
    losses.total = losses.prediction + options.lambda * losses.distillation;
  }
  return losses;
}

}  // namespace leaf
