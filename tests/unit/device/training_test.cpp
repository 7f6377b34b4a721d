// Training steps on the device of LEAF_TEST_DEVICE: against the CPU's in float32, with and without
// a feature cache and a recording, and on from a checkpoint.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "leaf/core/random.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/model.h"
#include "leaf/pipeline/verify.h"
#include "leaf/train/build_model.h"
#include "models/autoencoder.h"
#include "models/teacher.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"
#include "support/test_device.h"
#include "train/checkpoint.h"
#include "train/frozen_networks.h"
#include "train/networks.h"
#include "train/optimizer.h"
#include "train/task.h"

namespace leaf {
namespace {

constexpr double kLearningRate = 1e-3;
constexpr double kSmallLoss = 0.1;  // below which a cosine's error counts as of so much

Config segmentation_config() {
  Config config;
  config.model.init = ModelInit::kRandom;
  config.model.autoencoder = test::small_kl();
  config.model.unet = test::small_unet();
  config.alignment.teacher = "vit_tiny_patch16_224";
  config.alignment.projector_dim = 64;
  config.data.resolution = 32;
  config.train.feature_cache = FeatureCache::kOff;
  return config;
}

Config autoencoder_config(models::AutoencoderType type) {
  Config config = segmentation_config();
  config.task = Task::kAutoencoder;
  if (type == models::AutoencoderType::kTiny) {
    config.model.autoencoder = {.type = type, .widths = {8, 16}, .blocks = 1};
  }
  return config;
}

/// With a teacher of random weights in the folder.
Config distill_config(const std::filesystem::path& folder) {
  Config config = segmentation_config();
  save_model(folder, build_model(config));
  config.task = Task::kDistill;
  config.model.teacher = folder;
  config.model.autoencoder = {
      .type = models::AutoencoderType::kTiny, .widths = {8, 16}, .blocks = 1};
  config.distill.halves_steps = 4;
  return config;
}

data::Batch make_batch(std::int64_t step) {
  data::Batch batch;
  batch.images = test::images(2, 32, 32);
  batch.masks = batch.images.narrow(1, 0, 1).gt(0.5).to(at::kFloat);
  batch.step = step;
  return batch;
}

/// A task with its optimizer, which take steps as a run does.
struct TrainingRun {
  TrainingRun(const Config& run_config, c10::Device device)
      : config(run_config), task(make_task(config, device)), optimizer(task->parameters(), {}) {}

  /// The losses of each step: the total under "", the others by their names.
  std::map<std::string, std::vector<double>> steps(std::int64_t first, std::int64_t end) {
    std::map<std::string, std::vector<double>> losses;
    for (std::int64_t step = first; step < end; ++step) {
      seed_dropout(config.seed, static_cast<std::uint64_t>(step));
      optimizer.zero_grad();
      const TaskLoss loss = task->add_gradients(make_batch(step), 1);
      losses[""].push_back(loss.total.item<double>());
      for (const auto& [name, part] : loss.parts) {
        losses[name].push_back(part.item<double>());
      }
      update();
      task->after_update(step + 1);
    }
    return losses;
  }

  void update() {
    const double limit = config.train.max_grad_norm;
    if (config.train.clip_in_update) {
      optimizer.step(kLearningRate, {}, clip_divisor(optimizer.gradient_norm(), limit));
    } else {
      optimizer.clip_gradients(limit);
      optimizer.step(kLearningRate);
    }
  }

  /// All that learns, one after the other, on the CPU.
  at::Tensor weights() {
    std::vector<at::Tensor> all;
    for (const auto& [name, parameter] : task->parameters()) {
      all.push_back(parameter.detach().cpu().flatten());
    }
    return at::cat(all);
  }

  Config config;
  std::unique_ptr<TrainingTask> task;
  AdamW optimizer;
};

void expect_near(const std::map<std::string, std::vector<double>>& ours,
                 const std::map<std::string, std::vector<double>>& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (const auto& [name, values] : theirs) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double size = std::max(std::abs(values[i]), kSmallLoss);
      const double error = std::abs(ours.at(name)[i] - values[i]) / size;
      std::cout << "  step " << i << " " << name << "  relative error of " << values[i] << ": "
                << error << "\n";
      EXPECT_LE(error, tolerance) << name << " of step " << i;
    }
  }
}

/// Steps on the device in `precision` against the CPU's in float32.
void expect_steps_of_the_cpu(Config config, Precision precision, const test::Tolerance& tolerance) {
  constexpr std::int64_t kSteps = 3;
  TrainingRun reference(config, c10::kCPU);
  config.train.mixed_precision = precision;
  TrainingRun run(config, test::test_device());
  const at::Tensor start = reference.weights();
  ASSERT_TRUE(at::equal(run.weights(), start));
  expect_near(run.steps(0, kSteps), reference.steps(0, kSteps), tolerance.network);
  const double error = relative_error(run.weights() - start, reference.weights() - start);
  std::cout << "  relative error of the weights' update: " << error << "\n";
  EXPECT_LE(error, tolerance.update);
}

void expect_equal_runs(TrainingRun& run, TrainingRun& other, std::int64_t first, std::int64_t end) {
  const double tolerance = test::repeat_tolerance(test::test_device());
  expect_near(run.steps(first, end), other.steps(first, end), tolerance);
  const double error = relative_error(run.weights(), other.weights());
  std::cout << "  relative error of the weights: " << error << "\n";
  EXPECT_LE(error, tolerance);
}

/// What the frozen networks make of a batch in the run's arithmetic.
Features features_of(const FrozenNetworks& frozen, const Config& config) {
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(test::test_device(), config.train.mixed_precision);
  const data::Batch batch = make_batch(0);
  return frozen.features(batch.images, batch.masks);
}

/// Weights rounded once give what weights rounded in every call give, and only copies are rounded.
void expect_rounding_changes_nothing(const Config& config) {
  const TrainingModel model = build_model(config);
  const std::shared_ptr<models::Teacher> teacher = build_teacher(config);
  place({{.name = "vae", .module = model.autoencoder}, {.name = "teacher", .module = teacher}},
        test::test_device());
  FrozenNetworks frozen(config, test::test_device(), model.autoencoder, teacher);
  const Features expected = features_of(frozen, config);
  frozen.round_weights();
  const Features rounded = features_of(frozen, config);
  const double tolerance = test::repeat_tolerance(test::test_device());
  EXPECT_LE(relative_error(rounded[kMaskLatents], expected[kMaskLatents]), tolerance);
  EXPECT_LE(relative_error(rounded[kTeacherTokens], expected[kTeacherTokens]), tolerance);
  EXPECT_EQ(teacher->named_parameters()["blocks.0.mlp.fc1.weight"].scalar_type(), at::kBFloat16);
  for (const at::Tensor& parameter : model.autoencoder->parameters()) {
    EXPECT_EQ(parameter.scalar_type(), at::kFloat);
  }
}

}  // namespace

TEST(AutoencoderOnTheDevice, KlStepsAreThoseOfTheCpu) {
  expect_steps_of_the_cpu(autoencoder_config(models::AutoencoderType::kKl), Precision::kFloat32,
                          test::kFloat32Tolerance);
}

TEST(AutoencoderOnTheDevice, TinyStepsAreThoseOfTheCpu) {
  expect_steps_of_the_cpu(autoencoder_config(models::AutoencoderType::kTiny), Precision::kFloat32,
                          test::kFloat32Tolerance);
}

TEST(AutoencoderOnTheDevice, BFloat16StepsAreNear) {
  for (const auto type : {models::AutoencoderType::kKl, models::AutoencoderType::kTiny}) {
    expect_steps_of_the_cpu(autoencoder_config(type), Precision::kBFloat16,
                            test::kBFloat16Tolerance);
  }
}

TEST(SegmentationOnTheDevice, StepsAreThoseOfTheCpu) {
  expect_steps_of_the_cpu(segmentation_config(), Precision::kFloat32, test::kFloat32Tolerance);
}

TEST(SegmentationOnTheDevice, BFloat16StepsAreNear) {
  expect_steps_of_the_cpu(segmentation_config(), Precision::kBFloat16, test::kBFloat16Tolerance);
}

TEST(SegmentationOnTheDevice, CachedFeaturesGiveTheSameSteps) {
  Config config = segmentation_config();
  TrainingRun plain(config, test::test_device());
  config.train.feature_cache = FeatureCache::kMemory;
  config.train.feature_cache_mb = 16;
  TrainingRun cached(config, test::test_device());
  // Computed and kept, computed and compared with what was kept, then from the cache alone.
  expect_equal_runs(cached, plain, 0, 4);
}

TEST(DistillationOnTheDevice, StepsAreThoseOfTheCpuWithAndWithoutACache) {
  const test::TemporaryFolder folder;
  for (const DistilledUNet unet : {DistilledUNet::kTeacher, DistilledUNet::kTuned}) {
    Config config = distill_config(folder.path());
    config.distill.unet = unet;
    expect_steps_of_the_cpu(config, Precision::kFloat32, test::kFloat32Tolerance);
    TrainingRun plain(config, test::test_device());
    config.train.feature_cache = FeatureCache::kMemory;
    config.train.feature_cache_mb = 16;
    TrainingRun cached(config, test::test_device());
    // Computed, compared with what was kept, then from the cache alone; the halves, then the whole.
    expect_equal_runs(cached, plain, 0, 6);
  }
}

TEST(SegmentationOnTheDevice, ARecordedStepIsThePlainOne) {
  Config config = segmentation_config();
  config.model.latent_encoder_dropout = 0;
  TrainingRun plain(config, test::test_device());
  config.train.cuda_graph = true;
  TrainingRun recorded(config, test::test_device());
  expect_equal_runs(recorded, plain, 0, 3);
}

TEST(SegmentationOnTheDevice, ClippingInTheUpdateIsClippingBefore) {
  Config config = segmentation_config();
  config.train.max_grad_norm = 1e-2;  // which every step exceeds
  TrainingRun before(config, test::test_device());
  config.train.clip_in_update = true;
  TrainingRun within(config, test::test_device());
  expect_near(within.steps(0, 3), before.steps(0, 3), test::kFloat32Tolerance.network);
  EXPECT_LE(relative_error(within.weights(), before.weights()), test::kFloat32Tolerance.network);
}

TEST(SegmentationOnTheDevice, FrozenWeightsAreRoundedOnce) {
  Config config = segmentation_config();
  config.train.mixed_precision = Precision::kBFloat16;
  for (const MaskLatent latent : {MaskLatent::kMode, MaskLatent::kSample}) {
    config.diffusion.mask_latent = latent;
    expect_rounding_changes_nothing(config);
  }
}

TEST(SegmentationOnTheDevice, ACheckpointGoesOnWhereItWasWritten) {
  const test::TemporaryFolder folder;
  TrainingRun run(segmentation_config(), test::test_device());
  run.steps(0, 2);
  write_checkpoint(
      folder.path(),
      {.step = 2, .batches = 2, .weights = run.task->state(), .optimizer = run.optimizer.state()},
      /*keep=*/1);
  const Checkpoint checkpoint = read_checkpoint(complete_checkpoints(folder.path()).back());
  TrainingRun resumed(segmentation_config(), test::test_device());
  resumed.task->load_state(checkpoint.weights);
  TrainingRun half(segmentation_config(), test::test_device());  // without the moments
  half.task->load_state(checkpoint.weights);
  resumed.optimizer.load_state(checkpoint.optimizer);
  expect_equal_runs(resumed, run, 2, 4);
  half.steps(2, 4);
  EXPECT_GT(relative_error(half.weights(), run.weights()),
            test::repeat_tolerance(test::test_device()));
}

}  // namespace leaf
