#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/dataset.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf/train/build_model.h"
#include "losses/losses.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"
#include "train/distill_step.h"
#include "train/light_model.h"
#include "train/optimizer.h"
#include "train/task.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::message_of;

constexpr std::int64_t kSide = 16;
constexpr double kEdgeWeight = 2;

Config teacher_config() {
  Config config;
  config.model.init = ModelInit::kRandom;
  config.model.autoencoder = test::small_kl();
  config.model.unet = test::small_unet();
  config.data.resolution = kSide;
  config.alignment.teacher = "none";
  return config;
}

/// Fresh networks end in zeros; what ends in random numbers makes different masks of different
/// images.
TrainingModel random_teacher() {
  TrainingModel model = build_model(teacher_config());
  const at::NoGradGuard no_grad;
  for (auto& item : model.unet->named_parameters()) {
    if (!item.value().any().item<bool>()) {
      item.value().copy_(test::normal(item.value().sizes()) * 0.2);
    }
  }
  for (auto& network : {std::static_pointer_cast<torch::nn::Module>(model.unet),
                        std::static_pointer_cast<torch::nn::Module>(model.latent_encoder),
                        std::static_pointer_cast<torch::nn::Module>(model.autoencoder)}) {
    nn::freeze(*network);
  }
  return model;
}

/// What a light model of it is made by.
Config light_config(const fs::path& teacher = {}) {
  Config config = teacher_config();
  config.task = Task::kDistill;
  config.model.teacher = teacher;
  config.model.autoencoder = {
      .type = models::AutoencoderType::kTiny, .widths = {8, 16}, .blocks = 1};
  config.distill.halves_steps = 2;
  config.distill.edge_weight = kEdgeWeight;
  return config;
}

LightParts parts_of(const TrainingModel& light, bool learns_unet = false) {
  return {.image_encoder = light.latent_encoder,
          .mask_encoder = light.autoencoder->encoder(),
          .unet = light.unet,
          .decoder = std::dynamic_pointer_cast<models::TinyLatentDecoder>(light.decoder),
          .learns_unet = learns_unet};
}

data::Batch random_batch(std::int64_t count = 2) {
  data::Batch batch;
  batch.images = test::images(count, kSide, kSide);
  batch.masks = (batch.images.narrow(1, 0, 1) > 0.5).to(at::kFloat);
  return batch;
}

/// As the networks get it.
at::Tensor laid_out(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

bool has_gradient(const torch::nn::Module& module) {
  for (const at::Tensor& parameter : module.parameters()) {
    if (!parameter.grad().defined() || !parameter.grad().any().item<bool>()) {
      return false;
    }
  }
  return true;
}

/// A teacher and a light model, and one step's input.
class DistillStep : public ::testing::Test {
 protected:
  DistillTargets targets(DistillStage stage) const {
    return distill_targets(teacher_, sampling_, input_, stage);
  }
  TaskLoss losses(DistillStage stage) const {
    return distill_losses(parts_of(light_), sampling_, input_, targets(stage), stage, kEdgeWeight);
  }

  TrainingModel teacher_ = random_teacher();
  TrainingModel light_ = make_light_model(light_config(), teacher_);
  diffusion::NoiseScheduler scheduler_{teacher_.description.scheduler, c10::kCPU};
  Sampling sampling_{.scheduler = scheduler_, .steps = 1};
  DistillInput input_{.images = laid_out(random_batch().images),
                      .mask_images = laid_out(random_batch().masks.expand({2, 3, kSide, kSide})),
                      .noise = laid_out(test::normal({2, 4, kSide / 2, kSide / 2}))};
};

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

TEST_F(DistillStep, TargetsAreWhatTheTeacherInfers) {
  const DistillTargets found = targets(DistillStage::kHalves);
  const Segmenter segmenter(teacher_, {});
  const at::Tensor latent = segmenter.encode(input_.images);
  EXPECT_TRUE(at::equal(found.image_latents, latent));
  EXPECT_TRUE(
      at::allclose(found.predicted_latents, segmenter.sample(latent, input_.noise), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(found.decoded_predictions.mean(1, true),
                           segmenter.probability(input_.images, input_.noise), 1e-4, 1e-5));
  EXPECT_TRUE(
      at::equal(found.mask_latents, teacher_.autoencoder->encoder()->encode(input_.mask_images)));
  EXPECT_TRUE(at::equal(found.decoded_masks, teacher_.decoder->decode(found.mask_latents)));
}

TEST_F(DistillStep, HalvesLearnByThemselves) {
  const TaskLoss loss = losses(DistillStage::kHalves);
  const DistillTargets expected = targets(DistillStage::kHalves);
  EXPECT_EQ(loss.parts.size(), 3U);
  EXPECT_TRUE(at::allclose(
      loss.parts.at("loss_image_encoder"),
      (light_.latent_encoder->encode(input_.images) - expected.image_latents).square().mean()));
  EXPECT_TRUE(at::allclose(
      loss.parts.at("loss_mask_encoder"),
      (light_.autoencoder->encoder()->encode(input_.mask_images) - expected.mask_latents)
          .square()
          .mean()));
  const LightParts parts = parts_of(light_);
  const auto of_decoder = [&](const at::Tensor& latents, const at::Tensor& images) {
    return losses::edge_l1(parts.decoder->decode_raw(latents), images, kEdgeWeight);
  };
  EXPECT_TRUE(at::allclose(loss.parts.at("loss_decoder"),
                           (of_decoder(expected.mask_latents, expected.decoded_masks) +
                            of_decoder(expected.predicted_latents, expected.decoded_predictions)) /
                               2));
  loss.total.backward();
  EXPECT_TRUE(has_gradient(*light_.latent_encoder));
  EXPECT_TRUE(has_gradient(*light_.autoencoder));
}

TEST_F(DistillStep, TheWholeLearnsThroughTheFrozenUNet) {
  const TaskLoss loss = losses(DistillStage::kJoint);
  EXPECT_EQ(loss.parts.size(), 3U);
  EXPECT_TRUE(loss.parts.contains("loss_mask"));
  EXPECT_TRUE(loss.parts.contains("loss_latent"));
  loss.total.backward();
  EXPECT_TRUE(has_gradient(*light_.latent_encoder));
  EXPECT_TRUE(has_gradient(*light_.autoencoder));
  for (const at::Tensor& parameter : light_.unet->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_F(DistillStep, ANewUNetLearnsTheTeachersPrediction) {
  Config config = light_config();
  config.distill.unet = DistilledUNet::kNew;
  config.model.unet.num_res_blocks = 2;
  light_ = make_light_model(config, teacher_);
  EXPECT_NE(light_.unet, teacher_.unet);
  const DistillTargets expected = targets(DistillStage::kHalves);
  const TaskLoss loss = distill_losses(parts_of(light_, true), sampling_, input_, expected,
                                       DistillStage::kHalves, kEdgeWeight);
  Model taught = light_;
  taught.description.preprocessing = teacher_.description.preprocessing;
  const at::Tensor predicted = Segmenter(taught, {}).sample(expected.image_latents, input_.noise);
  EXPECT_TRUE(
      at::allclose(loss.parts.at("loss_unet"), losses::l1(predicted, expected.predicted_latents)));
}

TEST_F(DistillStep, AUNetThatLearnsGetsMoreAndMoreOfTheLightLatent) {
  Config config = light_config();
  config.distill.unet = DistilledUNet::kNew;
  light_ = make_light_model(config, teacher_);
  LightParts parts = parts_of(light_, true);
  parts.own_latents = 1;
  const DistillTargets expected = targets(DistillStage::kHalves);
  const at::Tensor loss =
      distill_losses(parts, sampling_, input_, expected, DistillStage::kHalves, kEdgeWeight)
          .parts.at("loss_unet");
  const at::Tensor predicted =
      Segmenter(light_, {}).sample(light_.latent_encoder->encode(input_.images), input_.noise);
  EXPECT_TRUE(at::allclose(loss, losses::l1(predicted, expected.predicted_latents)));
  loss.backward();
  EXPECT_TRUE(light_.unet->named_parameters()["out.2.bias"].grad().any().item<bool>());
  for (const at::Tensor& parameter : light_.latent_encoder->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_F(DistillStep, ATunedUNetStartsAsTheTeachers) {
  Config config = light_config();
  config.distill.unet = DistilledUNet::kTuned;
  light_ = make_light_model(config, teacher_);
  EXPECT_NE(light_.unet, teacher_.unet);
  EXPECT_EQ(test::differences(*light_.unet, *teacher_.unet), std::vector<std::string>{});
}

TEST_F(DistillStep, WhatHasTheTeachersShapeStartsAsItsCopy) {
  const TrainingModel second = make_light_model(light_config(), light_);
  EXPECT_EQ(test::differences(*second.autoencoder, *light_.autoencoder),
            std::vector<std::string>{});
  EXPECT_EQ(second.unet, light_.unet);
  EXPECT_NE(second.autoencoder, light_.autoencoder);
}

TEST_F(DistillStep, HalvesStartAsThoseOfAnotherLightModel) {
  const test::TemporaryFolder folder;
  save_model(folder / "run/best", light_);
  Config config = light_config();
  config.seed += 1;
  EXPECT_NE(test::differences(*make_light_model(config, teacher_).autoencoder, *light_.autoencoder),
            std::vector<std::string>{});
  config.model.pretrained = folder / "run";
  config.model.autoencoder.ch = 64;  // of a base file: nothing to a tiny one
  const TrainingModel second = make_light_model(config, teacher_);
  EXPECT_EQ(test::differences(*second.autoencoder, *light_.autoencoder),
            std::vector<std::string>{});
  EXPECT_EQ(test::differences(*second.latent_encoder, *light_.latent_encoder),
            std::vector<std::string>{});
  config.model.autoencoder.blocks += 1;
  EXPECT_NE(message_of<WeightsError>([&] {
              make_light_model(config, teacher_);
            }).find("is not of the configuration's shape"),
            std::string::npos);
}

TEST_F(DistillStep, WhatDoesNotFitTheTeacherIsRefused) {
  const auto refusal = [&](const auto& change) {
    Config config = light_config();
    change(config);
    return message_of<ConfigError>([&] { make_light_model(config, teacher_); });
  };
  EXPECT_EQ(refusal([](Config& c) { c.data.resolution = 32; }),
            "DataConfig::resolution is 32, but 16 in ModelSection::teacher; set it to that");
  EXPECT_NE(refusal([](Config& c) {
              c.model.autoencoder.latent_channels = 3;
            }).find("AutoencoderConfig::latent_channels is 3"),
            std::string::npos);
  EXPECT_NE(refusal([](Config& c) {
              c.model.autoencoder.widths = {8, 8, 8};
            }).find("one position of the latent of 4 pixels, ModelSection::teacher of 2"),
            std::string::npos);
}

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
  EXPECT_GT(bytes, 2 * 2 * 3 * kSide * kSide * sizeof(float));  // two samples' two decoded images
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
