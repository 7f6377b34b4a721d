#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "leaf/diffusion/noise_scheduler.h"

namespace leaf::diffusion {

/// (noisy latent [N, L, h, w], timestep [N] int64) -> the network's prediction [N, L, h, w]
using Denoiser = std::function<at::Tensor(const at::Tensor& noisy, const at::Tensor& timestep)>;

/// One way from noise to a latent; its options are a structure of its own in SchedulerConfig.
struct Sampler {
  const char* name;  ///< diffusers' class, `_class_name` in scheduler_config.json
  /// The timesteps of `steps` steps, in the order in which they are visited. Throws ConfigError if
  /// the schedule has no such steps.
  std::vector<std::int64_t> (*timesteps)(const SchedulerConfig& config, std::int64_t steps);
  /// From noise [N, L, h, w] to the clean latent, same shape.
  at::Tensor (*sample)(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                       const at::Tensor& noise, std::int64_t steps);
};

/// All samplers; the first is the default.
const std::vector<Sampler>& all_samplers();

/// The sampler of that name, or null.
const Sampler* find_sampler(std::string_view name);

/// What the configured sampler does. Throws ConfigError for the name of none, and as its functions.
std::vector<std::int64_t> inference_timesteps(const SchedulerConfig& config, std::int64_t steps);
at::Tensor sample(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                  const at::Tensor& noise, std::int64_t steps);

}  // namespace leaf::diffusion
