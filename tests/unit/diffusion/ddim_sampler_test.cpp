#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/sampler.h"
#include "support/small_networks.h"

namespace leaf::diffusion {
namespace {

using test::largest_difference;
using test::normal;

/// Predicts what leads exactly to `latent`, whatever the noise.
Denoiser oracle(const NoiseScheduler& scheduler, const at::Tensor& latent) {
  return [&scheduler, latent](const at::Tensor& noisy, const at::Tensor& timestep) {
    const at::Tensor abar =
        scheduler.alphas_cumprod().index_select(0, timestep).view({-1, 1, 1, 1});
    const at::Tensor noise = (noisy - abar.sqrt() * latent) / (1 - abar).sqrt();
    return scheduler.training_target(latent, noise, timestep);
  };
}

/// One step of a denoiser that predicts `value` everywhere.
double single_step(const SchedulerConfig& config, double value) {
  const NoiseScheduler scheduler(config);
  const at::Tensor result = sample(
      scheduler,
      [&](const at::Tensor& noisy, const at::Tensor&) { return at::full_like(noisy, value); },
      normal({1, 4, 2, 2}), 1);
  EXPECT_EQ(result.min().item<double>(), result.max().item<double>());
  return result.max().item<double>();
}

}  // namespace

TEST(SampleDdim, AnOracleLeadsToTheCleanLatent) {
  const at::Tensor latent = 0.9 * normal({2, 4, 3, 3}, 1).tanh();
  const at::Tensor noise = normal({2, 4, 3, 3}, 2);
  for (const auto& [type, name] : enum_names(PredictionType{})) {
    for (const std::int64_t steps : {1, 2, 10}) {
      SchedulerConfig config;
      config.prediction_type = type;
      const NoiseScheduler scheduler(config);
      const at::Tensor result = sample(scheduler, oracle(scheduler, latent), noise, steps);
      EXPECT_LT(largest_difference(result, latent), 1e-3) << name << " " << steps;
    }
  }
}

TEST(SampleDdim, VisitsTheTimestepsInOrder) {
  const NoiseScheduler scheduler({});
  std::vector<std::int64_t> visited;
  const auto denoiser = [&](const at::Tensor& noisy, const at::Tensor& timestep) {
    EXPECT_EQ(timestep.sizes().vec(), test::Shape{3});
    EXPECT_EQ(timestep.scalar_type(), at::kLong);
    EXPECT_EQ(timestep.min().item<std::int64_t>(), timestep.max().item<std::int64_t>());
    visited.push_back(timestep[0].item<std::int64_t>());
    return noisy;
  };
  sample(scheduler, denoiser, normal({3, 4, 2, 2}), 4);
  EXPECT_EQ(visited, (std::vector<std::int64_t>{750, 500, 250, 0}));
}

TEST(SampleDdim, ClipsThePredictedLatent) {
  SchedulerConfig config;
  EXPECT_DOUBLE_EQ(single_step(config, 3.0), 1.0);
  EXPECT_DOUBLE_EQ(single_step(config, -3.0), -1.0);
  EXPECT_DOUBLE_EQ(single_step(config, 0.5), 0.5);
  config.clip_sample_range = 2.0;
  EXPECT_DOUBLE_EQ(single_step(config, 3.0), 2.0);
  config.clip_sample = false;
  EXPECT_DOUBLE_EQ(single_step(config, 3.0), 3.0);
}

TEST(SampleDdim, NoiseForTheNextStepComesFromTheUnclippedPrediction) {
  const NoiseScheduler scheduler({});
  const at::Tensor noise = normal({1, 4, 2, 2});
  std::vector<at::Tensor> seen;
  const auto denoiser = [&](const at::Tensor& noisy, const at::Tensor&) {
    seen.push_back(noisy);
    return at::full_like(noisy, 3.0);
  };
  sample(scheduler, denoiser, noise, 2);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_TRUE(at::equal(seen[0], noise));
  const double first = scheduler.alphas_cumprod()[500].item<double>();
  const double next = scheduler.alphas_cumprod()[0].item<double>();
  const at::Tensor recovered = (noise - std::sqrt(first) * 3.0) / std::sqrt(1 - first);
  const at::Tensor expected = std::sqrt(next) * 1.0 + std::sqrt(1 - next) * recovered;
  EXPECT_LT(largest_difference(seen[1], expected), 1e-5);
}

TEST(SampleDdim, WithoutAlphaOneTheLastStepKeepsSomeNoise) {
  SchedulerConfig config;
  config.ddim.set_alpha_to_one = false;
  const NoiseScheduler scheduler(config);
  const at::Tensor latent = 0.9 * normal({1, 4, 2, 2}, 1).tanh();
  const at::Tensor noise = normal({1, 4, 2, 2}, 2);
  const at::Tensor result = sample(scheduler, oracle(scheduler, latent), noise, 1);
  const double last = scheduler.alphas_cumprod()[999].item<double>();
  const double end = scheduler.alphas_cumprod()[0].item<double>();
  const at::Tensor recovered = (noise - std::sqrt(last) * latent) / std::sqrt(1 - last);
  const at::Tensor expected = std::sqrt(end) * latent + std::sqrt(1 - end) * recovered;
  EXPECT_LT(largest_difference(result, expected), 1e-5);
  EXPECT_GT(largest_difference(result, latent), 1e-3);
}

}  // namespace leaf::diffusion
