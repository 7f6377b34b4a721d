#include "leaf/diffusion/noise_scheduler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/sampler.h"
#include "leaf/core/error.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf::diffusion {
namespace {

using test::largest_difference;
using test::normal;
using test::Shape;
using Steps = std::vector<std::int64_t>;

void expect_relative(double ours, double theirs, double tolerance) {
  EXPECT_NEAR(ours, theirs, tolerance * std::abs(theirs));
}

SchedulerConfig with_prediction(PredictionType type) {
  SchedulerConfig config;
  config.prediction_type = type;
  return config;
}

SchedulerConfig with_spacing(TimestepSpacing spacing) {
  SchedulerConfig config;
  config.ddim.timestep_spacing = spacing;
  return config;
}

/// A latent, noise and their mixture at the first, a middle and the last timestep.
struct Mixture {
  explicit Mixture(const NoiseScheduler& scheduler)
      : noisy(scheduler.add_noise(latent, noise, timestep)),
        target(scheduler.training_target(latent, noise, timestep)) {}

  at::Tensor latent = normal({3, 4, 2, 2}, 1);
  at::Tensor noise = normal({3, 4, 2, 2}, 2);
  at::Tensor timestep = at::tensor(Steps{0, 499, 999}, at::kLong);
  at::Tensor noisy, target;
};

}  // namespace

// Values of diffusers' DDIMScheduler with betas 0.0015 .. 0.0155 at t = 0, 499, 999.
TEST(NoiseScheduler, BetasAreDiffusers) {
  struct Expected {
    BetaSchedule schedule;
    std::array<double, 3> betas;
    std::array<double, 3> alphas_cumprod;
  };
  const std::vector<Expected> all{{BetaSchedule::kLinear,
                                   {0.00150000001, 0.00849299319, 0.0154999997},
                                   {0.99849999, 0.0816312134, 0.000194582361}},
                                  {BetaSchedule::kScaledLinear,
                                   {0.00150000013, 0.00665390771, 0.0154999997},
                                   {0.99849999, 0.151077569, 0.000668666209}},
                                  {BetaSchedule::kSquaredcosCapV2,
                                   {4.12842237e-05, 0.00314588612, 0.999000013},
                                   {0.999958694, 0.493843466, 2.42873499e-09}}};
  constexpr std::array<std::int64_t, 3> kTimesteps{0, 499, 999};
  for (const Expected& expected : all) {
    SCOPED_TRACE(enum_text(expected.schedule));
    SchedulerConfig config;
    config.beta_schedule = expected.schedule;
    const at::Tensor betas = make_betas(config);
    ASSERT_EQ(betas.sizes().vec(), Shape{1000});
    const NoiseScheduler scheduler(config);
    for (std::size_t i = 0; i < kTimesteps.size(); ++i) {
      expect_relative(betas[kTimesteps[i]].item<double>(), expected.betas[i], 1e-6);
      // A thousand float32 factors: their rounding may differ between processors.
      expect_relative(scheduler.alphas_cumprod()[kTimesteps[i]].item<double>(),
                      expected.alphas_cumprod[i], 1e-5);
    }
  }
}

TEST(NoiseScheduler, AddsNoiseAtEachSamplesOwnTimestep) {
  const NoiseScheduler scheduler({});
  const Mixture mixture(scheduler);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto t = mixture.timestep[i].item<std::int64_t>();
    const double abar = scheduler.alphas_cumprod()[t].item<double>();
    const at::Tensor expected =
        std::sqrt(abar) * mixture.latent[i] + std::sqrt(1 - abar) * mixture.noise[i];
    EXPECT_LT(largest_difference(mixture.noisy[i], expected), 1e-5) << t;
  }
}

TEST(NoiseScheduler, TargetsAreTheNamedQuantities) {
  const auto target = [](PredictionType type) {
    return Mixture(NoiseScheduler(with_prediction(type))).target;
  };
  const NoiseScheduler scheduler({});
  const Mixture mixture(scheduler);
  EXPECT_TRUE(at::equal(target(PredictionType::kEpsilon), mixture.noise));
  EXPECT_TRUE(at::equal(target(PredictionType::kSample), mixture.latent));
  const double abar = scheduler.alphas_cumprod()[499].item<double>();
  const at::Tensor v = std::sqrt(abar) * mixture.noise[1] - std::sqrt(1 - abar) * mixture.latent[1];
  EXPECT_LT(largest_difference(target(PredictionType::kVPrediction)[1], v), 1e-5);
}

TEST(NoiseScheduler, RecoversLatentAndNoiseFromTheTarget) {
  for (const auto& [type, name] : enum_names(PredictionType{})) {
    SCOPED_TRACE(name);
    const NoiseScheduler scheduler(with_prediction(type));
    const Mixture m(scheduler);
    EXPECT_LT(largest_difference(scheduler.recover_latent(m.target, m.noisy, m.timestep), m.latent),
              1e-4);
    EXPECT_LT(largest_difference(scheduler.recover_noise(m.target, m.noisy, m.timestep), m.noise),
              1e-4);
  }
}

TEST(InferenceTimesteps, OneStepStartsAtTheEnd) {
  for (const auto& [spacing, name] : enum_names(TimestepSpacing{})) {
    EXPECT_EQ(inference_timesteps(with_spacing(spacing), 1), Steps{999}) << name;
  }
}

// Values of diffusers' set_timesteps.
TEST(InferenceTimesteps, AreDiffusers) {
  const SchedulerConfig leading = with_spacing(TimestepSpacing::kLeading);
  EXPECT_EQ(inference_timesteps(leading, 3), (Steps{666, 333, 0}));
  EXPECT_EQ(inference_timesteps(leading, 4), (Steps{750, 500, 250, 0}));
  EXPECT_EQ(inference_timesteps(leading, 10),
            (Steps{900, 800, 700, 600, 500, 400, 300, 200, 100, 0}));
  const SchedulerConfig trailing = with_spacing(TimestepSpacing::kTrailing);
  EXPECT_EQ(inference_timesteps(trailing, 3), (Steps{999, 666, 332}));
  EXPECT_EQ(inference_timesteps(trailing, 4), (Steps{999, 749, 499, 249}));
  EXPECT_EQ(inference_timesteps(trailing, 10),
            (Steps{999, 899, 799, 699, 599, 499, 399, 299, 199, 99}));
  const SchedulerConfig linspace = with_spacing(TimestepSpacing::kLinspace);
  EXPECT_EQ(inference_timesteps(linspace, 3), (Steps{999, 500, 0}));
  EXPECT_EQ(inference_timesteps(linspace, 4), (Steps{999, 666, 333, 0}));
  EXPECT_EQ(inference_timesteps(linspace, 10),
            (Steps{999, 888, 777, 666, 555, 444, 333, 222, 111, 0}));
}

TEST(InferenceTimesteps, OffsetMovesLeadingSteps) {
  SchedulerConfig config;
  config.ddim.steps_offset = 1;
  EXPECT_EQ(inference_timesteps(config, 4), (Steps{751, 501, 251, 1}));
}

TEST(InferenceTimesteps, TheOffsetMustStayInTheSchedule) {
  SchedulerConfig config;
  config.ddim.steps_offset = 1;
  EXPECT_EQ(inference_timesteps(config, 1), Steps{999});
  EXPECT_EQ(inference_timesteps(config, 999).front(), 999);
  const auto message = test::message_of<ConfigError>([&] { inference_timesteps(config, 1000); });
  EXPECT_NE(message.find("num_inference_steps 1000 with steps_offset 1"), std::string::npos)
      << message;
  config.ddim.timestep_spacing = TimestepSpacing::kTrailing;  // knows no offset
  EXPECT_EQ(inference_timesteps(config, 1000).front(), 999);
}

TEST(Samplers, AreFoundByTheirName) {
  for (const Sampler& sampler : all_samplers()) {
    EXPECT_EQ(find_sampler(sampler.name), &sampler);
  }
  EXPECT_EQ(all_samplers().front().name, SchedulerConfig{}.sampler);
  SchedulerConfig config;
  config.sampler = "NoSuchScheduler";
  const auto message = test::message_of<ConfigError>([&] { inference_timesteps(config, 1); });
  EXPECT_NE(message.find("'NoSuchScheduler'"), std::string::npos) << message;
}

TEST(InferenceTimesteps, CountMustFitTheSchedule) {
  EXPECT_EQ(inference_timesteps({}, 1000).size(), 1000U);
  for (const std::int64_t steps : {0, -1, 1001}) {
    const auto message =
        test::message_of<ConfigError>([&] { inference_timesteps(SchedulerConfig{}, steps); });
    EXPECT_NE(message.find("num_inference_steps " + std::to_string(steps)), std::string::npos)
        << message;
    EXPECT_NE(message.find("1 .. 1000"), std::string::npos) << message;
  }
}

}  // namespace leaf::diffusion
