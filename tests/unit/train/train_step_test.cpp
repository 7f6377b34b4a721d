#include "train/train_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "losses/losses.h"
#include "support/golden.h"
#include "support/small_networks.h"

namespace leaf {
namespace {

using test::normal;

constexpr std::int64_t kBatch = 3;
constexpr std::int64_t kTeacherWidth = 12;

TrainedParts make_parts() {
  TrainedParts parts;
  parts.unet = std::make_shared<models::UNet>(test::small_unet());
  parts.latent_encoder = models::make_latent_encoder(test::small_kl(), /*dropout=*/0.0);
  parts.projector = std::make_shared<models::FeatureProjector>(32, 16, kTeacherWidth);
  parts.tap = models::alignment_tap(test::small_unet()).name;
  test::fill_by_formula(*parts.unet, "unet.");
  test::fill_by_formula(*parts.latent_encoder, "latent_encoder.");
  test::fill_by_formula(*parts.projector, "projector.");
  return parts;
}

/// Images of 16 pixels, latents of 8, a tap and teacher of 4.
StepInput make_input() {
  return {.images = test::images(kBatch, 16, 16, 1),
          .mask_latents = normal({kBatch, 4, 8, 8}, 2),
          .noise = normal({kBatch, 4, 8, 8}, 3),
          .timesteps = at::tensor(std::vector<std::int64_t>{1, 500, 900}, at::kLong),
          .teacher_tokens = normal({kBatch, 16, kTeacherWidth}, 4)};
}

double number(const at::Tensor& scalar) { return scalar.item<double>(); }

/// What the U-Net says, by the same steps as the paper's.
at::Tensor predict(const TrainedParts& parts, const StepInput& input, const at::Tensor& noisy) {
  return parts.unet->forward(at::cat({parts.latent_encoder->encode(input.images), noisy}, 1),
                             input.timesteps);
}

at::Tensor drawn_timesteps(const DiffusionSection& diffusion, std::int64_t step) {
  StepInput input = make_input();
  draw_noise(/*seed=*/1, step, diffusion, input);
  return input.timesteps;
}

}  // namespace

TEST(DrawNoise, TakesAnyTimestepOrTheLast) {
  DiffusionSection diffusion;
  const at::Tensor first = drawn_timesteps(diffusion, 1);
  EXPECT_TRUE(at::equal(first, drawn_timesteps(diffusion, 1)));
  EXPECT_FALSE(at::equal(first, drawn_timesteps(diffusion, 2)));
  EXPECT_LT(first.max().item<std::int64_t>(), diffusion.scheduler.num_train_timesteps);
  diffusion.training_timesteps = TrainingTimesteps::kLast;
  EXPECT_TRUE(at::equal(drawn_timesteps(diffusion, 1), at::full({kBatch}, 999, at::kLong)));
}

TEST(ComputeLosses, AddsTheWeightedAlignment) {
  const at::NoGradGuard no_grad;
  const diffusion::NoiseScheduler scheduler({});
  const StepLosses losses = compute_losses(make_parts(), scheduler, make_input(), {.lambda = 0.75});
  EXPECT_GT(number(losses.prediction), 0.0);
  EXPECT_GT(std::abs(number(losses.distillation)), 1e-4);
  EXPECT_LE(std::abs(number(losses.distillation)), 1.0);
  EXPECT_NEAR(number(losses.total), number(losses.prediction) + 0.75 * number(losses.distillation),
              1e-6);
}

TEST(ComputeLosses, PredictsTheChosenQuantity) {
  const at::NoGradGuard no_grad;
  const TrainedParts parts = make_parts();
  const StepInput input = make_input();
  for (const auto& [type, name] : enum_names(diffusion::PredictionType{})) {
    diffusion::SchedulerConfig config;
    config.prediction_type = type;
    const diffusion::NoiseScheduler scheduler(config);
    const at::Tensor noisy = scheduler.add_noise(input.mask_latents, input.noise, input.timesteps);
    const at::Tensor target =
        scheduler.training_target(input.mask_latents, input.noise, input.timesteps);
    const double expected = number(losses::l1(predict(parts, input, noisy), target));
    EXPECT_NEAR(number(compute_losses(parts, scheduler, input, {}).prediction), expected, 1e-5)
        << name;
  }
}

TEST(ComputeLosses, ReferenceReductionDividesByTheBatchOnceMore) {
  const at::NoGradGuard no_grad;
  const TrainedParts parts = make_parts();
  const StepInput input = make_input();
  const diffusion::NoiseScheduler scheduler({});
  const StepLosses mean = compute_losses(parts, scheduler, input, {.lambda = 1.0});
  const StepLosses reference = compute_losses(
      parts, scheduler, input, {.lambda = 1.0, .reduction = CosineReduction::kReference});
  EXPECT_NEAR(number(reference.distillation), number(mean.distillation) / kBatch, 1e-6);
  EXPECT_NEAR(number(reference.prediction), number(mean.prediction), 1e-6);
}

TEST(ComputeLosses, SdsegAddsTheRecoveredLatent) {
  const at::NoGradGuard no_grad;
  const TrainedParts parts = make_parts();
  StepInput input = make_input();
  input.timesteps = at::tensor(std::vector<std::int64_t>{1, 100, 300}, at::kLong);
  diffusion::SchedulerConfig config;
  config.prediction_type = diffusion::PredictionType::kEpsilon;
  const diffusion::NoiseScheduler scheduler(config);
  const at::Tensor noisy = scheduler.add_noise(input.mask_latents, input.noise, input.timesteps);
  const at::Tensor prediction = predict(parts, input, noisy);
  const at::Tensor recovered = scheduler.recover_latent(prediction, noisy, input.timesteps);
  const double first = number(losses::l1(prediction, input.noise));
  const double second = number(losses::l1(recovered, input.mask_latents));
  EXPECT_GT(second, 1e-3);
  const StepLosses losses =
      compute_losses(parts, scheduler, input, {.diffusion = DiffusionLoss::kSdseg});
  EXPECT_NEAR(number(losses.prediction), first, 1e-4 * first);
  EXPECT_NEAR(number(losses.latent), second, 1e-4 * second);
  EXPECT_NEAR(number(losses.total), first + second, 1e-4 * (first + second));
}

TEST(ComputeLosses, WithoutAlignment) {
  const at::NoGradGuard no_grad;
  TrainedParts parts = make_parts();
  parts.projector = nullptr;
  StepInput input = make_input();
  input.teacher_tokens = at::Tensor();
  const diffusion::NoiseScheduler scheduler({});
  const StepLosses losses = compute_losses(parts, scheduler, input, {.lambda = 0.75});
  EXPECT_FALSE(losses.distillation.defined());
  EXPECT_FALSE(losses.latent.defined());
  EXPECT_EQ(number(losses.total), number(losses.prediction));
}

TEST(ComputeLosses, GradientsReachAllTrainedParts) {
  const TrainedParts parts = make_parts();
  const diffusion::NoiseScheduler scheduler({});
  compute_losses(parts, scheduler, make_input(), {.lambda = 0.75}).total.backward();
  const auto expect_gradients = [](const torch::nn::Module& module, const char* part) {
    for (const auto& item : module.named_parameters()) {
      const at::Tensor& gradient = item.value().grad();
      ASSERT_TRUE(gradient.defined()) << part << item.key();
      EXPECT_TRUE(gradient.any().item<bool>()) << part << item.key() << " is all zero";
    }
  };
  expect_gradients(*parts.unet, "unet.");
  expect_gradients(*parts.latent_encoder, "latent_encoder.");
  expect_gradients(*parts.projector, "projector.");
}

}  // namespace leaf
