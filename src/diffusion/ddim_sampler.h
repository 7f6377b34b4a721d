#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/sampler.h"

namespace leaf::diffusion {

/// One step starts at T-1 (the reference); more follow `timestep_spacing`, as in diffusers.
std::vector<std::int64_t> ddim_timesteps(const SchedulerConfig& config, std::int64_t steps);

/// DDIM with eta 0. The predicted latent is clipped where the configuration says so; the noise for
/// the next step comes from the unclipped prediction (`use_clipped_model_output=false`).
at::Tensor sample_ddim(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                       const at::Tensor& noise, std::int64_t steps);

}  // namespace leaf::diffusion
