#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/model.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "saved_models.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::fresh_model;
using test::kl_description;
using test::kl_with_tiny_decoder;
using Names = std::vector<std::string>;

ModelDescription tiny_description() {
  ModelDescription description;
  description.autoencoder = {.type = models::AutoencoderType::kTiny,
                             .latent_channels = 32,
                             .variant = models::TinyVariant::kTaef2};
  description.unet = test::small_unet(32);
  description.preprocessing.resolution = 32;
  return description;
}

void expect_same_networks(const TrainingModel& ours, const TrainingModel& expected) {
  EXPECT_EQ(test::differences(*ours.autoencoder, *expected.autoencoder), Names{});
  EXPECT_EQ(test::differences(*ours.latent_encoder, *expected.latent_encoder), Names{});
  EXPECT_EQ(test::differences(*ours.unet, *expected.unet), Names{});
}

void expect_same(const diffusion::SchedulerConfig& ours,
                 const diffusion::SchedulerConfig& expected) {
  EXPECT_EQ(ours.beta_schedule, expected.beta_schedule);
  EXPECT_EQ(ours.beta_start, expected.beta_start);
  EXPECT_EQ(ours.beta_end, expected.beta_end);
  EXPECT_EQ(ours.num_train_timesteps, expected.num_train_timesteps);
  EXPECT_EQ(ours.prediction_type, expected.prediction_type);
  EXPECT_EQ(ours.clip_sample, expected.clip_sample);
  EXPECT_EQ(ours.clip_sample_range, expected.clip_sample_range);
  EXPECT_EQ(ours.ddim.set_alpha_to_one, expected.ddim.set_alpha_to_one);
  EXPECT_EQ(ours.ddim.steps_offset, expected.ddim.steps_offset);
  EXPECT_EQ(ours.ddim.timestep_spacing, expected.ddim.timestep_spacing);
}

void expect_same(const models::UNetConfig& ours, const models::UNetConfig& expected) {
  EXPECT_EQ(ours.in_channels, expected.in_channels);
  EXPECT_EQ(ours.out_channels, expected.out_channels);
  EXPECT_EQ(ours.model_channels, expected.model_channels);
  EXPECT_EQ(ours.channel_mult, expected.channel_mult);
  EXPECT_EQ(ours.num_res_blocks, expected.num_res_blocks);
  EXPECT_EQ(ours.attention_resolutions, expected.attention_resolutions);
  EXPECT_EQ(ours.num_heads, expected.num_heads);
  EXPECT_EQ(ours.dropout, expected.dropout);
}

void expect_same(const models::AutoencoderConfig& ours, const models::AutoencoderConfig& expected) {
  EXPECT_EQ(ours.type, expected.type);
  EXPECT_EQ(ours.latent_channels, expected.latent_channels);
  EXPECT_EQ(ours.ch, expected.ch);
  EXPECT_EQ(ours.ch_mult, expected.ch_mult);
  EXPECT_EQ(ours.num_res_blocks, expected.num_res_blocks);
  EXPECT_EQ(ours.scaling_factor, expected.scaling_factor);
  EXPECT_EQ(ours.variant, expected.variant);
}

void expect_same(const ModelDescription& ours, const ModelDescription& expected) {
  expect_same(ours.autoencoder, expected.autoencoder);
  expect_same(ours.unet, expected.unet);
  expect_same(ours.scheduler, expected.scheduler);
  EXPECT_EQ(ours.preprocessing.resolution, expected.preprocessing.resolution);
  EXPECT_EQ(ours.preprocessing.intensity, expected.preprocessing.intensity);
  EXPECT_EQ(ours.preprocessing.threshold, expected.preprocessing.threshold);
  EXPECT_EQ(ours.preprocessing.classes, expected.preprocessing.classes);
}

}  // namespace

TEST(ModelFolder, StatesSeveralClassesAndHowTheyAreCoded) {
  const test::TemporaryFolder folder;
  ModelDescription description = kl_description();
  save_model(folder / "two", fresh_model(description));
  EXPECT_EQ(read_file(folder / "two/preprocessing.json").find("class_coding"), std::string::npos);
  data::MaskClasses& classes = description.preprocessing.classes;
  classes =
      data::parse_classes({"background=#000000", "disc=#ff0000", "cup=#00ff00", "ignore=#ffffff"});
  classes.coding = data::ClassCoding::kChannels;
  save_model(folder / "several", fresh_model(description));
  EXPECT_EQ(load_description(folder / "several").preprocessing.classes, classes);
}

TEST(ModelFolder, KeepsAKlModel) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = fresh_model(kl_description());
  save_model(folder / "model", saved);
  const TrainingModel loaded = load_training_model(folder / "model");
  expect_same(loaded.description, saved.description);
  EXPECT_EQ(loaded.description.latent_encoder_dropout, 0.1);
  expect_same_networks(loaded, saved);
}

TEST(ModelFolder, KeepsATinyModel) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = fresh_model(tiny_description());
  save_model(folder / "model", saved);
  const TrainingModel loaded = load_training_model(folder / "model");
  expect_same(loaded.description, saved.description);
  expect_same_networks(loaded, saved);
}

TEST(ModelFolder, KeepsADecoderOfItsOwn) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = fresh_model(kl_with_tiny_decoder());
  save_model(folder / "model", saved);
  EXPECT_TRUE(fs::exists(folder / "model/decoder/config.json"));
  const TrainingModel loaded = load_training_model(folder / "model");
  ASSERT_TRUE(loaded.description.decoder.has_value());
  expect_same(*loaded.description.decoder, *saved.description.decoder);
  expect_same_networks(loaded, saved);
  EXPECT_EQ(test::differences(*loaded.decoder, *saved.decoder), Names{});
  EXPECT_EQ(test::differences(*load_model(folder / "model").decoder, *saved.decoder), Names{});
}

TEST(ModelFolder, TheHashIsOverTheDecoderToo) {
  const test::TemporaryFolder folder;
  write_file(folder / "unet/config.json", "{}");
  const std::string before = model_sha256(folder.path());
  write_file(folder / "notes.txt", "no part of a model");
  EXPECT_EQ(model_sha256(folder.path()), before);
  write_file(folder / "decoder/config.json", "{}");
  EXPECT_NE(model_sha256(folder.path()), before);
}

TEST(ModelFolder, InferenceNeedsNothingOfTheMasksEncoder) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = fresh_model(kl_description());
  save_model(folder / "model", saved);
  io::write_safetensors(folder / "model/vae" / io::kDiffusersWeights,
                        io::state_dict(*saved.decoder));
  EXPECT_EQ(test::differences(*load_model(folder / "model").decoder, *saved.decoder), Names{});
  EXPECT_THROW(load_training_model(folder / "model"), WeightsError);
}

TEST(ModelFolder, ADecoderOfOtherLatentsIsRefused) {
  ModelDescription description = kl_with_tiny_decoder();
  description.decoder->latent_channels = 5;
  const auto message = test::message_of<WeightsError>([&] { make_model(description); });
  EXPECT_NE(message.find("the decoder takes other latents (5 channels, 8 pixels a position)"),
            std::string::npos)
      << message;
}

TEST(ModelFolder, NarrowWeightsLoadAsFloat32) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = fresh_model(kl_description());
  for (const auto& [type, stored] : {std::pair{WeightType::kFloat16, at::kHalf},
                                     std::pair{WeightType::kBFloat16, at::kBFloat16}}) {
    save_model(folder / "model", saved, {.type = type});
    const auto file = io::read_weights(folder / "model/unet");
    EXPECT_EQ(file.at("out.2.weight").scalar_type(), stored);
    const TrainingModel loaded = load_training_model(folder / "model");
    for (const auto& [name, tensor] : io::state_dict(*loaded.latent_encoder)) {
      EXPECT_EQ(tensor.scalar_type(), at::kFloat);
      const at::Tensor expected = io::state_dict(*saved.latent_encoder).at(name);
      EXPECT_TRUE(at::equal(tensor, expected.to(stored).to(at::kFloat))) << name;
    }
  }
}

TEST(ModelFolder, NumbersBeyondFloat16AreRefused) {
  const test::TemporaryFolder folder;
  const TrainingModel model = fresh_model(kl_description());
  {
    const at::NoGradGuard no_grad;
    model.unet->named_parameters()["out.2.bias"].fill_(1e5);
  }
  EXPECT_NE(test::message_of<WeightsError>([&] {
              save_model(folder / "model", model, {.type = WeightType::kFloat16});
            }).find("'out.2.bias' has numbers beyond float16"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "model"));
  EXPECT_NO_THROW(save_model(folder / "model", model, {.type = WeightType::kBFloat16}));
}

TEST(ModelFolder, DiffusersHasNoPoolingAutoencoder) {
  const test::TemporaryFolder folder;
  const TrainingModel model = fresh_model(tiny_description());
  EXPECT_THROW(save_model(folder / "model", model, {.format = FolderFormat::kDiffusers}),
               WeightsError);
  EXPECT_FALSE(fs::exists(folder / "model"));
}

TEST(ModelFolder, IsReplacedAsAWhole) {
  const test::TemporaryFolder folder;
  save_model(folder / "model", fresh_model(tiny_description()));
  const TrainingModel saved = fresh_model(kl_description());
  save_model(folder / "model", saved);
  expect_same_networks(load_training_model(folder / "model"), saved);
  EXPECT_EQ(list_folder(folder.path()).size(), 1U);
}

TEST(ModelFolder, SaveAutoencoderWritesThatPartAlone) {
  const test::TemporaryFolder folder;
  const TrainingModel model = fresh_model(kl_description());
  save_autoencoder(folder / "start", *model.autoencoder, model.description.autoencoder);
  EXPECT_EQ(list_folder(folder / "start"), std::vector<fs::path>{folder / "start" / "vae"});
  const auto autoencoder = models::make_autoencoder(model.description.autoencoder);
  io::load_parameters(*autoencoder, io::read_weights(folder / "start/vae"), "vae");
  EXPECT_EQ(test::differences(*autoencoder, *model.autoencoder), Names{});
}

TEST(FindModelFolder, TakesTheFolderItselfOrARunsBestOrLast) {
  const test::TemporaryFolder folder;
  const auto find = [&] { return find_model_folder(folder.path()); };
  EXPECT_THROW(find(), WeightsError);
  EXPECT_THROW(find_model_folder(folder / "missing"), WeightsError);
  fs::create_directories(folder / "last" / "unet");
  EXPECT_EQ(find(), folder / "last");
  fs::create_directories(folder / "best" / "unet");
  EXPECT_EQ(find(), folder / "best");
  EXPECT_EQ(find_model_folder(folder / "last"), folder / "last");
  fs::create_directories(folder / "unet");
  EXPECT_EQ(find(), folder.path());
}

}  // namespace leaf
