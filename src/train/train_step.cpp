#include "train/train_step.h"

#include <ATen/ATen.h>

#include <vector>

#include "leaf/core/device.h"
#include "leaf/core/random.h"
#include "losses/losses.h"

namespace leaf {
namespace {

at::Tensor distillation_loss(const models::FeatureProjector& projector, const at::Tensor& features,
                             const at::Tensor& teacher_tokens, CosineReduction reduction) {
  const at::Tensor projected = projector.forward(features).to(at::kFloat);
  const at::Tensor loss = losses::cosine_distillation(teacher_tokens.to(at::kFloat), projected);
  return reduction == CosineReduction::kReference ? loss / features.size(0) : loss;
}

/// int64 [count] on the CPU.
at::Tensor step_timesteps(std::uint64_t seed, std::int64_t step, const DiffusionSection& diffusion,
                          std::int64_t count) {
  const std::int64_t all = diffusion.scheduler.num_train_timesteps;
  at::Tensor timesteps = at::full({count}, all - 1, at::kLong);
  if (diffusion.training_timesteps == TrainingTimesteps::kUniform) {
    for (std::int64_t i = 0; i < count; ++i) {
      RandomStream stream(seed, Purpose::kTimestep, step, i);
      timesteps[i] = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(all)));
    }
  }
  return timesteps;
}

}  // namespace

at::Tensor step_noise(std::uint64_t seed, std::int64_t step, at::IntArrayRef shape) {
  std::vector<at::Tensor> noise;
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    noise.push_back(normal_tensor(shape.slice(1), RandomStream(seed, Purpose::kNoise, step, i)));
  }
  return at::stack(noise);
}

void draw_noise(std::uint64_t seed, std::int64_t step, const DiffusionSection& diffusion,
                StepInput& input) {
  const c10::Device device = input.mask_latents.device();
  const auto shape = input.mask_latents.sizes();
  input.timesteps = to_device(step_timesteps(seed, step, diffusion, shape[0]), device);
  input.noise =
      to_device(step_noise(seed, step, shape), device).contiguous(at::MemoryFormat::ChannelsLast);
}

StepLosses compute_losses(const TrainedParts& parts, const diffusion::NoiseScheduler& scheduler,
                          const StepInput& input, const LossOptions& options) {
  nn::Activations activations({parts.tap});
  const at::Tensor noisy = scheduler.add_noise(input.mask_latents, input.noise, input.timesteps);
  const at::Tensor image_latents = parts.latent_encoder->encode(input.images).to(at::kFloat);
  const at::Tensor prediction =
      parts.unet->forward(at::cat({image_latents, noisy}, 1), input.timesteps, &activations)
          .to(at::kFloat);

  StepLosses losses;
  losses.prediction = losses::l1(
      prediction, scheduler.training_target(input.mask_latents, input.noise, input.timesteps));
  losses.total = losses.prediction;
  if (options.diffusion == DiffusionLoss::kSdseg) {
    losses.latent = losses::l1(scheduler.recover_latent(prediction, noisy, input.timesteps),
                               input.mask_latents);
    losses.total = losses.total + losses.latent;
  }
  if (parts.projector && input.teacher_tokens.defined()) {
    losses.distillation = distillation_loss(*parts.projector, activations.at(parts.tap),
                                            input.teacher_tokens, options.reduction);
    losses.total = losses.total + options.lambda * losses.distillation;
  }
  return losses;
}

}  // namespace leaf
