#pragma once

#include <ATen/core/TensorBody.h>

#include <functional>

#include "leaf/diffusion/noise_scheduler.h"

namespace leaf::diffusion {

/// (noisy latent [N, L, h, w], timestep [N] int64) -> the network's prediction [N, L, h, w]
using Denoiser = std::function<at::Tensor(const at::Tensor& noisy, const at::Tensor& timestep)>;

/// DDIM with eta 0 (diffusers' DDIMScheduler): from noise [N, L, h, w] to the clean latent in
/// `steps` steps. The predicted latent is clipped where the configuration says so; the noise for
/// the next step comes from the unclipped prediction (`use_clipped_model_output=false`).
at::Tensor sample_ddim(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                       const at::Tensor& noise, std::int64_t steps);

}  // namespace leaf::diffusion
