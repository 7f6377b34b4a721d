#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/dataset.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/segmenter.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/small_teacher.h"
#include "support/temporary_folder.h"
#include "train/optimizer.h"
#include "train/task.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::light_config;
using test::random_batch;
using test::random_teacher;

constexpr std::size_t kTeacherPixels = test::kTeacherSide * test::kTeacherSide;

/// A saved teacher with a data set of one pair.
class DistillTask : public ::testing::Test {
 protected:
  DistillTask() {
    save_model(folder_ / "teacher", random_teacher());
    test::write_pair(folder_.path(), "0001");
  }

  Config config() const { return light_config(folder_ / "teacher"); }
  data::Dataset dataset() const {
    return {{{.image = folder_ / "images/0001.png",
              .mask = folder_ / "masks/0001.png",
              .name = "0001"}},
            config().data};
  }

  test::TemporaryFolder folder_;
};

/// Trains on one batch; the losses of each step.
std::vector<double> trained(TrainingTask& task, std::int64_t steps, std::int64_t first = 1) {
  AdamW optimizer(task.parameters(), {});
  std::vector<double> losses;
  for (std::int64_t step = first; step < first + steps; ++step) {
    optimizer.zero_grad();
    losses.push_back(task.add_gradients(random_batch(), 1).total.item<double>());
    optimizer.step(2e-3);
    task.after_update(step);
  }
  return losses;
}

}  // namespace

TEST_F(DistillTask, LearnsInBothStages) {
  Config config = this->config();
  config.distill.halves_steps = 30;
  config.train.use_ema = false;
  const auto task = make_distill_task(config, c10::kCPU);
  const std::vector<double> halves = trained(*task, 30);
  EXPECT_LT(halves.back(), 0.7 * halves.front());
  const std::vector<double> joint = trained(*task, 30, 31);
  EXPECT_LT(joint.back(), 0.9 * joint.front());
}

TEST_F(DistillTask, TheMasksEncoderLearnsInTheFirstStageAlone) {
  Config config = this->config();
  config.distill.halves_steps = 2;
  config.train.use_ema = false;
  const auto task = make_distill_task(config, c10::kCPU);
  const auto masks_encoder = [&] {
    io::TensorMap state;
    for (const auto& [name, tensor] : task->state()) {
      if (name.starts_with("vae.encoder.")) {
        state[name] = tensor.clone();
      }
    }
    return state;
  };
  const io::TensorMap start = masks_encoder();
  ASSERT_FALSE(start.empty());
  const auto differs = [&](const io::TensorMap& from) {
    const io::TensorMap now = masks_encoder();
    return std::any_of(now.begin(), now.end(), [&](const auto& entry) {
      return !at::equal(entry.second, from.at(entry.first));
    });
  };
  trained(*task, 2);
  EXPECT_TRUE(differs(start));
  const io::TensorMap halves = masks_encoder();
  trained(*task, 2, 3);
  EXPECT_FALSE(differs(halves));
}

TEST_F(DistillTask, ATunedUNetLearnsAndIsSaved) {
  Config config = this->config();
  config.distill.unet = DistilledUNet::kTuned;
  const auto task = make_distill_task(config, c10::kCPU);
  trained(*task, 4);
  task->save_model(folder_ / "light");
  EXPECT_NE(
      test::differences(*load_model(folder_ / "light").unet, *load_model(folder_ / "teacher").unet),
      std::vector<std::string>{});
  const auto resumed = make_distill_task(config, c10::kCPU);
  resumed->load_state(task->state());
  EXPECT_EQ(trained(*resumed, 1), trained(*task, 1));
}

TEST_F(DistillTask, ATunedUNetsInputChangesWithTheStepsAndIsResumed) {
  Config config = this->config();
  config.distill.unet = DistilledUNet::kTuned;
  config.distill.halves_steps = 4;
  const auto loss_unet = [](TrainingTask& of) {
    return of.loss(random_batch()).parts.at("loss_unet").item<double>();
  };
  const auto task = make_distill_task(config, c10::kCPU);
  EXPECT_LT(loss_unet(*task), 1e-5);  // the teacher's latents in a copy of its U-Net
  task->after_update(2);
  const double halfway = loss_unet(*task);
  EXPECT_GT(halfway, 1e-3);
  const auto resumed = make_distill_task(config, c10::kCPU);
  resumed->load_state(task->state());
  EXPECT_EQ(loss_unet(*resumed), halfway);
}

TEST_F(DistillTask, ATunedUNetMayBeComputedAgain) {
  const auto losses = [&](bool again) {
    Config config = this->config();
    config.distill.unet = DistilledUNet::kTuned;
    config.train.gradient_checkpointing = again;
    return trained(*make_distill_task(config, c10::kCPU), 4);
  };
  EXPECT_EQ(losses(true), losses(false));
}

TEST_F(DistillTask, WithoutHalvesNothingIsKeptForThem) {
  const auto kept = [&](std::int64_t halves_steps) {
    Config config = this->config();
    config.distill.halves_steps = halves_steps;
    config.train.feature_cache = FeatureCache::kDisk;
    config.train.feature_cache_dir = folder_ / str(halves_steps);
    trained(*make_distill_task(config, c10::kCPU), 2);
    return fs::file_size(list_folder(config.train.feature_cache_dir).at(0));
  };
  constexpr std::size_t kLatent = 4 * kTeacherPixels / 4;
  EXPECT_EQ(kept(1) - kept(0),
            2 * (3 * kTeacherPixels + 2 * kLatent) * sizeof(float));  // of two samples
}

TEST_F(DistillTask, WhatTheTeacherMakesMayBeKept) {
  const auto losses = [&](FeatureCache cache) {
    Config config = this->config();
    config.train.feature_cache = cache;
    config.train.feature_cache_dir = folder_ / "cache";
    return trained(*make_distill_task(config, c10::kCPU), 5);  // two of halves, three of the whole
  };
  const std::vector<double> plain = losses(FeatureCache::kOff);
  EXPECT_EQ(losses(FeatureCache::kMemory), plain);
  EXPECT_EQ(losses(FeatureCache::kDisk), plain);
  const std::vector<fs::path> files = list_folder(folder_ / "cache");
  ASSERT_EQ(files.size(), 1U);
  const auto bytes = fs::file_size(files[0]);
  EXPECT_GT(bytes, 2 * 2 * 3 * test::kTeacherSide * test::kTeacherSide *
                       sizeof(float));  // two samples' two decoded images
  EXPECT_EQ(losses(FeatureCache::kDisk), plain);
  EXPECT_EQ(fs::file_size(files[0]), bytes);
}

TEST_F(DistillTask, NoiseFollowsFromTheSample) {
  const auto task = make_distill_task(config(), c10::kCPU);
  task->after_update(2);  // the masks of predictions follow from the noise alone in this stage
  data::Batch batch = random_batch();
  const auto loss = [](TrainingTask& of, const data::Batch& what) {
    return of.loss(what).parts.at("loss_latent").item<double>();
  };
  const double first = loss(*task, batch);
  batch.step = 7;
  EXPECT_EQ(loss(*task, batch), first);
  batch.images = batch.images.flip({0});
  batch.masks = batch.masks.flip({0});
  EXPECT_NEAR(loss(*task, batch), first, 1e-6);  // each sample has taken its noise along
  Config other = config();
  other.seed = config().seed + 1;
  const auto reseeded = make_distill_task(other, c10::kCPU);
  reseeded->load_state(task->state());
  EXPECT_NE(loss(*reseeded, batch), first);
}

TEST_F(DistillTask, SavesAnOrdinaryModel) {
  const auto task = make_distill_task(config(), c10::kCPU);
  trained(*task, 3);
  task->save_model(folder_ / "light");
  const Model light = load_model(folder_ / "light");
  const Model teacher = load_model(folder_ / "teacher");
  EXPECT_EQ(light.description.autoencoder, config().model.autoencoder);
  EXPECT_EQ(test::differences(*light.unet, *teacher.unet), std::vector<std::string>{});
  ASSERT_TRUE(light.description.distilled_from);
  EXPECT_EQ(light.description.distilled_from->sha256, model_sha256(folder_ / "teacher"));
  EXPECT_EQ(light.description.distilled_from->model, (folder_ / "teacher").string());
  const at::Tensor probability =
      Segmenter::load(folder_ / "light").probability(random_batch().images);
  EXPECT_TRUE(at::isfinite(probability).all().item<bool>());
}

TEST_F(DistillTask, ValidatesAgainstTruthAndTeacher) {
  const auto task = make_distill_task(config(), c10::kCPU);
  const Scores scores = task->validate(dataset(), {});
  EXPECT_EQ(scores.at("images"), 1);
  EXPECT_TRUE(scores.contains("dice"));
  EXPECT_GE(scores.at("agreement"), 0);
  EXPECT_LE(scores.at("agreement"), 1);
  const Segmenter teacher = Segmenter::load(folder_ / "teacher");
  const data::Dataset set = dataset();
  EXPECT_NEAR(scores.at("teacher_dice"), evaluate(teacher, set, 1).front().value("dice"), 1e-12);
}

TEST_F(DistillTask, AgreementLeavesOutWhatIsNotScored) {
  Config config = this->config();
  config.data.ignore_value = 0;  // half of the only mask
  config.train.use_ema = false;
  const data::Dataset set(dataset().pairs(), config.data);
  const data::Sample sample = set.load(0);
  const auto task = make_distill_task(config, c10::kCPU);
  io::TensorMap state = task->state();
  for (auto& [name, tensor] : state) {
    if (tensor.sizes() == at::IntArrayRef{3}) {
      tensor.fill_(1);  // the decoder's last bias: all is foreground
    }
  }
  task->load_state(state);
  task->save_model(folder_ / "light");
  const auto labels = [&](const char* model) {
    return Segmenter::load(folder_ / model)
        .labels(Segmenter::load(folder_ / model)
                    .probability(sample.image.unsqueeze(0), ImageNames{sample.name})[0]);
  };
  const at::Tensor light = labels("light");
  const at::Tensor teacher = labels("teacher");
  const double everywhere = mask_agreement(light, teacher, config.data.classes);
  const double scored = mask_agreement(light, teacher, config.data.classes, sample.ignored);
  ASSERT_NE(scored, everywhere);
  EXPECT_EQ(task->validate(set, {}).at("agreement"), scored);
}

TEST_F(DistillTask, AResumeGoesOnInItsStage) {
  const auto task = make_distill_task(config(), c10::kCPU);
  trained(*task, 2);
  const auto resumed = make_distill_task(config(), c10::kCPU);
  EXPECT_TRUE(resumed->loss(random_batch()).parts.contains("loss_decoder"));
  resumed->load_state(task->state());
  const TaskLoss loss = resumed->loss(random_batch());
  EXPECT_TRUE(loss.parts.contains("loss_mask"));
  EXPECT_TRUE(at::equal(loss.total, task->loss(random_batch()).total));
  io::TensorMap state = task->state();
  state.erase("updates");
  EXPECT_THROW(resumed->load_state(state), WeightsError);
}

}  // namespace leaf
