#include "leaf/pipeline/verify.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "leaf/core/error.h"
#include "models/autoencoder_kl.h"
#include "models/unet.h"
#include "nn/module.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

TrainingModel small_model() {
  ModelDescription description;
  description.autoencoder = test::small_kl();
  description.unet = test::small_unet();
  description.preprocessing.resolution = 16;
  TrainingModel model = make_model(description);
  initialise(model, 3);
  nn::initialise(*model.latent_encoder, 4);
  for (torch::nn::Module* part : std::vector<torch::nn::Module*>{
           model.autoencoder.get(), model.latent_encoder.get(), model.unet.get()}) {
    nn::freeze(*part);
  }
  return model;
}

io::TensorMap inputs() {
  return {{"input.image", test::images(2, 16, 16)},
          {"input.mask", (test::normal({2, 3, 16, 16}) > 0).to(at::kFloat)},
          {"input.noise", test::normal({2, 4, 8, 8})},
          {"input.timestep", at::tensor({10, 900}, at::kLong)}};
}

/// What the networks themselves say, called one by one.
io::TensorMap recorded_directly(const TrainingModel& model) {
  io::TensorMap recorded = inputs();
  auto& encoder = dynamic_cast<models::KlLatentEncoder&>(*model.autoencoder->encoder());
  auto& decoder = dynamic_cast<models::KlLatentDecoder&>(*model.decoder);
  recorded["vae.moments"] = encoder.moments(recorded["input.mask"]);
  recorded["vae.mask_latent"] = encoder.encode(recorded["input.mask"]);
  recorded["vae.decoded"] = decoder.decode_raw(recorded["vae.mask_latent"] /
                                               model.description.autoencoder.scaling_factor);
  recorded["latent_encoder.latent"] = model.latent_encoder->encode(recorded["input.image"]);
  recorded["diffusion.noisy_latent"] =
      diffusion::NoiseScheduler(model.description.scheduler)
          .add_noise(recorded["vae.mask_latent"], recorded["input.noise"],
                     recorded["input.timestep"]);
  nn::Activations activations({"input_blocks.1", "middle_block"});
  recorded["unet.output"] = model.unet->forward(
      at::cat({recorded["latent_encoder.latent"], recorded["diffusion.noisy_latent"]}, 1),
      recorded["input.timestep"], &activations);
  recorded["unet.input_blocks.1"] = activations.at("input_blocks.1");
  recorded["unet.middle_block"] = activations.at("middle_block");
  recorded["pipeline.sample.2"] =
      Segmenter(model, {.num_inference_steps = 2})
          .probability(recorded["input.image"], recorded["input.noise"]);
  return recorded;
}

std::vector<Comparison> compared(const TrainingModel& model, const io::TensorMap& recorded) {
  return compare_activations(compute_activations(model, recorded), recorded, 1e-4);
}

std::string verdict(const std::vector<Comparison>& rows, const std::string& name) {
  for (const Comparison& row : rows) {
    if (row.name == name) {
      return row.verdict;
    }
  }
  return "no such row";
}

}  // namespace

TEST(Verify, RelativeError) {
  const at::Tensor theirs = at::tensor({3.0, 4.0});
  EXPECT_DOUBLE_EQ(relative_error(at::tensor({3.0, 4.5}), theirs), 0.1);
  EXPECT_EQ(relative_error(at::zeros({2}), at::zeros({2})), 0);
  EXPECT_TRUE(std::isinf(relative_error(at::ones({2}), at::zeros({2}))));
  EXPECT_TRUE(std::isnan(relative_error(theirs / 0 * 0, theirs)));
}

TEST(Verify, EveryNameThatTheNetworksThemselvesGive) {
  const TrainingModel model = small_model();
  const auto rows = compared(model, recorded_directly(model));
  EXPECT_EQ(rows.size(), 9U);
  for (const Comparison& row : rows) {
    EXPECT_EQ(row.verdict, "ok") << row.name;
    EXPECT_LT(row.error.value_or(1), 1e-4) << row.name;
  }
}

TEST(Verify, ModulesByTheirNames) {
  const TrainingModel model = small_model();
  io::TensorMap recorded = inputs();
  const at::Tensor any = at::zeros({1});
  const std::vector<std::string> names{"vae.encoder.conv_in",
                                       "vae.encoder.down.0.block.0",
                                       "vae.encoder.down.0.downsample",
                                       "vae.encoder.mid.attn_1",
                                       "vae.encoder",
                                       "vae.quant_conv",
                                       "vae.decoder.mid",
                                       "vae.decoder.up.1.block.1",
                                       "vae.decoder.up.1.upsample",
                                       "vae.decoder",
                                       "vae.post_quant_conv",
                                       "latent_encoder.encoder.conv_out",
                                       "latent_encoder.moments",
                                       "unet.time_embed",
                                       "unet.input_blocks.1.1",
                                       "unet.middle_block.2",
                                       "unet.output_blocks.3.0",
                                       "unet.out"};
  for (const std::string& name : names) {
    recorded[name] = any;
  }
  recorded["unet.input_blocks.1.0.in_layers"] = any;  // no map of its own in ours
  recorded["unet.output"] = any;
  recorded["vae.decoded"] = any;
  const io::TensorMap computed = compute_activations(model, recorded);
  for (const std::string& name : names) {
    EXPECT_TRUE(computed.contains(name)) << name;
  }
  EXPECT_EQ(computed.size(), names.size() + 2);
  EXPECT_TRUE(at::equal(computed.at("unet.out"), computed.at("unet.output")));
  EXPECT_TRUE(at::equal(computed.at("vae.decoder"), computed.at("vae.decoded")));
  EXPECT_EQ(computed.at("vae.encoder.down.0.downsample").sizes(), (test::Shape{2, 32, 8, 8}));
}

TEST(Verify, ADisturbedWeightIsAMissFromThereOn) {
  const TrainingModel model = small_model();
  io::TensorMap recorded = recorded_directly(model);
  {
    const at::NoGradGuard no_grad;
    model.unet->named_parameters()["middle_block.0.out_layers.3.bias"].add_(1);
  }
  const auto rows = compared(model, recorded);
  EXPECT_EQ(verdict(rows, "vae.decoded"), "ok");
  EXPECT_EQ(verdict(rows, "unet.input_blocks.1"), "ok");
  EXPECT_EQ(verdict(rows, "unet.middle_block"), "MISS");
}

TEST(Verify, EachPassStartsFromWhatWasRecorded) {
  const TrainingModel model = small_model();
  io::TensorMap recorded = recorded_directly(model);
  recorded["latent_encoder.latent"] = recorded["latent_encoder.latent"] + 1;
  const auto rows = compared(model, recorded);
  EXPECT_EQ(verdict(rows, "latent_encoder.latent"), "MISS");
  EXPECT_EQ(verdict(rows, "vae.moments"), "ok");
  EXPECT_EQ(verdict(rows, "unet.input_blocks.1"), "MISS") << "the latent is its input";
}

TEST(Verify, WhatLacksItsInputsIsNotComputed) {
  const TrainingModel model = small_model();
  io::TensorMap recorded = recorded_directly(model);
  recorded.erase("input.timestep");
  recorded.erase("input.mask");
  recorded["loss"] = at::zeros({});
  const auto rows = compared(model, recorded);
  EXPECT_EQ(verdict(rows, "unet.output"), "not computed");
  EXPECT_EQ(verdict(rows, "vae.moments"), "not computed");
  EXPECT_EQ(verdict(rows, "vae.mask_latent"), "not computed");
  EXPECT_EQ(verdict(rows, "loss"), "not computed");
  EXPECT_EQ(verdict(rows, "vae.decoded"), "ok") << "from the recorded latent";
  EXPECT_EQ(verdict(rows, "pipeline.sample.2"), "ok");
}

TEST(Verify, ShapesAndNumbersThatAreNone) {
  const io::TensorMap computed{{"a", at::ones({2, 3})}, {"b", at::full({2}, NAN)}};
  const auto rows =
      compare_activations(computed, {{"a", at::ones({3, 2})}, {"b", at::ones({2})}}, 1e-4);
  EXPECT_EQ(rows[0].verdict, "MISS: ours has the shape [2, 3]");
  EXPECT_FALSE(rows[0].error.has_value());
  EXPECT_EQ(rows[1].verdict, "MISS");
}

TEST(Verify, InputsThatDoNotFit) {
  const TrainingModel model = small_model();
  const auto message = [&](const std::string& name, const at::Tensor& value) {
    io::TensorMap recorded = inputs();
    recorded[name] = value;
    return test::message_of<DataError>([&] { compute_activations(model, recorded); });
  };
  EXPECT_NE(message("input.image", at::ones({2, 3, 15, 16})).find("multiples of 2"),
            std::string::npos);
  EXPECT_NE(message("input.noise", at::ones({2, 7, 8, 8})).find("do not fit the model"),
            std::string::npos);
}

TEST(Verify, ToleranceFollowsTheStoredType) {
  const test::TemporaryFolder folder;
  const TrainingModel model = small_model();
  const auto tolerance = [&](WeightType type, Precision precision) {
    save_model(folder / "model", model, {.type = type});
    return expected_tolerance(folder / "model", precision);
  };
  EXPECT_EQ(tolerance(WeightType::kFloat32, Precision::kFloat32), 1e-4);
  EXPECT_EQ(tolerance(WeightType::kFloat16, Precision::kFloat32), 5e-3);
  EXPECT_EQ(tolerance(WeightType::kBFloat16, Precision::kFloat32), 3e-2);
  EXPECT_EQ(tolerance(WeightType::kFloat32, Precision::kBFloat16), 3e-2);
}

}  // namespace leaf
