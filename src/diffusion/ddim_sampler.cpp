#include "ddim_sampler.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::diffusion {
namespace {

/// abar at the timestep that follows t in a loop of `steps` steps; past the end it is 1, or abar_0.
double next_alpha_cumprod(const NoiseScheduler& scheduler, std::int64_t t, std::int64_t steps) {
  const SchedulerConfig& config = scheduler.config();
  const std::int64_t next = t - config.num_train_timesteps / steps;
  if (next >= 0) {
    return scheduler.alphas_cumprod()[next].item<double>();
  }
  return config.ddim.set_alpha_to_one ? 1.0 : scheduler.alphas_cumprod()[0].item<double>();
}

void check_steps(const SchedulerConfig& config, std::int64_t steps) {
  const std::int64_t count = config.num_train_timesteps;
  if (steps < 1 || steps > count) {
    throw ConfigError(str("num_inference_steps ", steps, " is not in 1 .. ", count));
  }
  if (!offset_fits(config, steps)) {
    throw ConfigError(str("num_inference_steps ", steps, " with steps_offset ",
                          config.ddim.steps_offset, " begins beyond the last timestep ", count - 1,
                          "; lower one of them"));
  }
}

}  // namespace

std::vector<std::int64_t> ddim_timesteps(const SchedulerConfig& config, std::int64_t steps) {
  check_steps(config, steps);
  const std::int64_t count = config.num_train_timesteps;
  if (steps == 1) {
    return {count - 1};
  }
  const double total = static_cast<double>(count);
  const double n = static_cast<double>(steps);
  std::vector<std::int64_t> timesteps;
  for (std::int64_t i = steps - 1; i >= 0; --i) {
    const double k = static_cast<double>(i);
    switch (config.ddim.timestep_spacing) {
      case TimestepSpacing::kLeading:
        timesteps.push_back(i * (count / steps) + config.ddim.steps_offset);
        break;
      case TimestepSpacing::kTrailing:
        timesteps.push_back(std::llrint(total - (n - 1 - k) * (total / n)) - 1);
        break;
      case TimestepSpacing::kLinspace:
        timesteps.push_back(std::llrint(k * (total - 1) / (n - 1)));
        break;
    }
  }
  return timesteps;
}

at::Tensor sample_ddim(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                       const at::Tensor& noise, std::int64_t steps) {
  const SchedulerConfig& config = scheduler.config();
  at::Tensor latent = noise;
  for (const std::int64_t t : ddim_timesteps(config, steps)) {
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
