#include "leaf/diffusion/noise_scheduler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace leaf::diffusion {
namespace {

/// Nichol and Dhariwal's cosine schedule: abar(s) = cos^2((s + 0.008) / 1.008 * pi / 2), beta <=
/// 0.999.
at::Tensor squaredcos_betas(std::int64_t count) {
  constexpr double kOffset = 0.008;
  constexpr double kMaxBeta = 0.999;
  const auto alpha_bar = [](double s) {
    const double c = std::cos((s + kOffset) / (1 + kOffset) * std::numbers::pi / 2);
    return c * c;
  };
  at::Tensor betas = at::empty({count}, at::kFloat);
  auto* data = betas.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < count; ++i) {
    const double now = static_cast<double>(i) / static_cast<double>(count);
    const double next = static_cast<double>(i + 1) / static_cast<double>(count);
    data[i] = static_cast<float>(std::min(1 - alpha_bar(next) / alpha_bar(now), kMaxBeta));
  }
  return betas;
}

}  // namespace

at::Tensor make_betas(const SchedulerConfig& config) {
  const auto count = config.num_train_timesteps;
  switch (config.beta_schedule) {
    case BetaSchedule::kLinear:
      return at::linspace(config.beta_start, config.beta_end, count, at::kFloat);
    case BetaSchedule::kScaledLinear:
      return at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), count,
                          at::kFloat)
          .square();
    case BetaSchedule::kSquaredcosCapV2:
      break;
  }
  return squaredcos_betas(count);
}

NoiseScheduler::NoiseScheduler(const SchedulerConfig& config, c10::Device device)
    : config_(config),
      alphas_cumprod_(at::cumprod(1 - make_betas(config), 0)),
      device_alphas_cumprod_(alphas_cumprod_.to(device)) {}

NoiseScheduler::AlphaSigma NoiseScheduler::alpha_sigma(const at::Tensor& timestep,
                                                       const at::Tensor& like) const {
  const at::Tensor abar = device_alphas_cumprod_.to(like.device())
                              .index_select(0, timestep.to(like.device()))
                              .reshape({-1, 1, 1, 1});
  return {abar.sqrt().to(like.scalar_type()), (1 - abar).sqrt().to(like.scalar_type())};
}

at::Tensor NoiseScheduler::add_noise(const at::Tensor& latent, const at::Tensor& noise,
                                     const at::Tensor& timestep) const {
  const auto [alpha, sigma] = alpha_sigma(timestep, latent);
  return alpha * latent + sigma * noise;
}

at::Tensor NoiseScheduler::training_target(const at::Tensor& latent, const at::Tensor& noise,
                                           const at::Tensor& timestep) const {
  switch (config_.prediction_type) {
    case PredictionType::kEpsilon:
      return noise;
    case PredictionType::kSample:
      return latent;
    case PredictionType::kVPrediction:
      break;
  }
  const auto [alpha, sigma] = alpha_sigma(timestep, latent);
  return alpha * noise - sigma * latent;
}

at::Tensor NoiseScheduler::recover_latent(const at::Tensor& prediction, const at::Tensor& noisy,
                                          const at::Tensor& timestep) const {
  const auto [alpha, sigma] = alpha_sigma(timestep, noisy);
  switch (config_.prediction_type) {
    case PredictionType::kEpsilon:
      return (noisy - sigma * prediction) / alpha;
    case PredictionType::kVPrediction:
      return alpha * noisy - sigma * prediction;
    case PredictionType::kSample:
      break;
  }
  return prediction;
}

at::Tensor NoiseScheduler::recover_noise(const at::Tensor& prediction, const at::Tensor& noisy,
                                         const at::Tensor& timestep) const {
  const auto [alpha, sigma] = alpha_sigma(timestep, noisy);
  switch (config_.prediction_type) {
    case PredictionType::kSample:
      return (noisy - alpha * prediction) / sigma;
    case PredictionType::kVPrediction:
      return alpha * prediction + sigma * noisy;
    case PredictionType::kEpsilon:
      break;
  }
  return prediction;
}

}  // namespace leaf::diffusion
