#pragma once

#include <ATen/core/TensorBody.h>

#include "leaf/diffusion/scheduler_config.h"

namespace leaf::diffusion {

/// beta_t for t = 0 .. T-1, float32 [T], with diffusers' names and formulas.
at::Tensor make_betas(const SchedulerConfig& config);

/// The variance-preserving forward process z_t = sqrt(abar_t) z + sqrt(1 - abar_t) eps and its
/// inversions for each parameterization (paper, section 2 and equation 3).
class NoiseScheduler {
 public:
  /// `device`: where latents will be; others work as well, and wait for a copy.
  explicit NoiseScheduler(const SchedulerConfig& config, c10::Device device = c10::kCPU);

  /// latent z, noise [N, L, h, w], timestep [N] int64 -> z_t [N, L, h, w]
  at::Tensor add_noise(const at::Tensor& latent, const at::Tensor& noise,
                       const at::Tensor& timestep) const;

  /// What the network should predict: eps, v = alpha*eps - sigma*z, or z. Shapes as add_noise.
  at::Tensor training_target(const at::Tensor& latent, const at::Tensor& noise,
                             const at::Tensor& timestep) const;

  /// z from a prediction at z_t, not clipped. prediction, noisy [N, L, h, w], timestep [N].
  at::Tensor recover_latent(const at::Tensor& prediction, const at::Tensor& noisy,
                            const at::Tensor& timestep) const;

  /// eps from a prediction at z_t, not clipped. Shapes as recover_latent.
  at::Tensor recover_noise(const at::Tensor& prediction, const at::Tensor& noisy,
                           const at::Tensor& timestep) const;

  /// abar_t for t in 0 .. T-1, float32 [T] on the CPU.
  const at::Tensor& alphas_cumprod() const { return alphas_cumprod_; }
  const SchedulerConfig& config() const { return config_; }

 private:
  struct AlphaSigma {
    at::Tensor alpha, sigma;  // [N, 1, 1, 1]
  };
  AlphaSigma alpha_sigma(const at::Tensor& timestep, const at::Tensor& like) const;

  SchedulerConfig config_;
  at::Tensor alphas_cumprod_;
  at::Tensor device_alphas_cumprod_;
};

}  // namespace leaf::diffusion
