#include "train/distill_step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/segmenter.h"
#include "losses/losses.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/small_teacher.h"
#include "support/temporary_folder.h"
#include "train/light_model.h"

namespace leaf {
namespace {

using test::light_config;
using test::message_of;
using test::random_batch;
using test::random_teacher;

constexpr std::int64_t kSide = test::kTeacherSide;
const DistillSection kWeights{.edge_weight = 2, .dice_weight = 0};

LightParts parts_of(const TrainingModel& light, bool learns_unet = false) {
  return {.image_encoder = light.latent_encoder,
          .mask_encoder = light.autoencoder->encoder(),
          .unet = light.unet,
          .decoder = std::dynamic_pointer_cast<models::TinyLatentDecoder>(light.decoder),
          .learns_unet = learns_unet};
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
    return distill_losses(parts_of(light_), sampling_, input_, targets(stage), stage, kWeights);
  }

  TrainingModel teacher_ = random_teacher();
  TrainingModel light_ = make_light_model(light_config(), teacher_);
  diffusion::NoiseScheduler scheduler_{teacher_.description.scheduler, c10::kCPU};
  Sampling sampling_{.scheduler = scheduler_, .steps = 1};
  DistillInput input_{.images = laid_out(random_batch().images),
                      .mask_images = laid_out(random_batch().masks.expand({2, 3, kSide, kSide})),
                      .noise = laid_out(test::normal({2, 4, kSide / 2, kSide / 2}))};
};

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
    return losses::edge_l1(parts.decoder->decode_raw(latents), images, kWeights.edge_weight);
  };
  EXPECT_TRUE(at::allclose(loss.parts.at("loss_decoder"),
                           (of_decoder(expected.mask_latents, expected.decoded_masks) +
                            of_decoder(expected.predicted_latents, expected.decoded_predictions)) /
                               2));
  loss.total.backward();
  EXPECT_TRUE(has_gradient(*light_.latent_encoder));
  EXPECT_TRUE(has_gradient(*light_.autoencoder));
}

TEST_F(DistillStep, ADiceLossIsAddedToTheMasks) {
  const DistillTargets expected = targets(DistillStage::kJoint);
  const auto mask_loss = [&](double dice_weight) {
    DistillSection weights = kWeights;
    weights.dice_weight = dice_weight;
    return distill_losses(parts_of(light_), sampling_, input_, expected, DistillStage::kJoint,
                          weights)
        .parts.at("loss_mask")
        .item<double>();
  };
  Model light = light_;
  light.description.preprocessing = teacher_.description.preprocessing;
  const Segmenter segmenter(light, {});
  const at::Tensor latents = segmenter.sample(segmenter.encode(input_.images), input_.noise);
  const at::Tensor masks = parts_of(light_).decoder->decode_raw(latents);
  const double dice = losses::soft_dice(masks, expected.decoded_predictions).item<double>();
  EXPECT_GT(dice, 0);
  EXPECT_NEAR(mask_loss(3), mask_loss(0) + 3 * dice, 1e-4);
}

TEST_F(DistillStep, TheWholeLearnsThroughTheFrozenUNet) {
  const TaskLoss loss = losses(DistillStage::kJoint);
  EXPECT_EQ(loss.parts.size(), 2U);
  EXPECT_TRUE(loss.parts.contains("loss_mask"));
  EXPECT_TRUE(loss.parts.contains("loss_latent"));
  loss.total.backward();
  EXPECT_TRUE(has_gradient(*light_.latent_encoder));
  EXPECT_TRUE(has_gradient(*light_.decoder));
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
                                       DistillStage::kHalves, kWeights);
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
  parts.light_share = 1;
  const DistillTargets expected = targets(DistillStage::kHalves);
  const at::Tensor loss =
      distill_losses(parts, sampling_, input_, expected, DistillStage::kHalves, kWeights)
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
  Config config = light_config();
  config.seed += 1;
  EXPECT_NE(test::differences(*make_light_model(config, light_).autoencoder, *light_.autoencoder),
            std::vector<std::string>{});  // ModelInit::kRandom
  config.model.init = ModelInit::kPretrained;
  const TrainingModel second = make_light_model(config, light_);
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
  EXPECT_NE(test::differences(*make_light_model(config, teacher_).autoencoder, *light_.autoencoder),
            std::vector<std::string>{});  // all is random
  config.model.init = ModelInit::kPretrained;
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

}  // namespace leaf
