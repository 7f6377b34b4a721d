#include "leaf/diffusion/ddim_sampler.h"

#include <ATen/ATen.h>

#include <cmath>

namespace leaf::diffusion {
namespace {

/// abar at the timestep that follows t in a loop of `steps` steps; past the end it is 1, or abar_0.
double next_alpha_cumprod(const NoiseScheduler& scheduler, std::int64_t t, std::int64_t steps) {
  const SchedulerConfig& config = scheduler.config();
  const std::int64_t next = t - config.num_train_timesteps / steps;
  if (next >= 0) {
    return scheduler.alphas_cumprod()[next].item<double>();
  }
  return config.set_alpha_to_one ? 1.0 : scheduler.alphas_cumprod()[0].item<double>();
}

}  // namespace

at::Tensor sample_ddim(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                       const at::Tensor& noise, std::int64_t steps) {
  const SchedulerConfig& config = scheduler.config();
  at::Tensor latent = noise;
  for (const std::int64_t t : inference_timesteps(config, steps)) {
    const at::Tensor timestep = at::full({noise.size(0)}, t, noise.options().dtype(at::kLong));
    const at::Tensor prediction = denoiser(latent, timestep).to(noise.scalar_type());
    at::Tensor clean = scheduler.recover_latent(prediction, latent, timestep);
    if (config.clip_sample) {
      clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range);
    }
    const double abar = next_alpha_cumprod(scheduler, t, steps);
    latent = abar < 1.0
                 ? std::sqrt(abar) * clean +
                       std::sqrt(1 - abar) * scheduler.recover_noise(prediction, latent, timestep)
                 : clean;
  }
  return latent;
}

}  // namespace leaf::diffusion
