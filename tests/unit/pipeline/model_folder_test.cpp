#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/model.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using Names = std::vector<std::string>;

/// Every value that a folder keeps differs from its default.
ModelDescription kl_description() {
  ModelDescription description;
  description.autoencoder = test::small_kl();
  description.autoencoder.latent_channels = 6;
  description.autoencoder.scaling_factor = 0.5;
  description.unet = test::small_unet(6);
  description.unet.dropout = 0.3;
  description.latent_encoder_dropout = 0.1;
  description.scheduler = {.beta_schedule = diffusion::BetaSchedule::kScaledLinear,
                           .beta_start = 0.001,
                           .beta_end = 0.02,
                           .num_train_timesteps = 500,
                           .prediction_type = diffusion::PredictionType::kVPrediction,
                           .clip_sample = false,
                           .clip_sample_range = 2.0,
                           .ddim = {.set_alpha_to_one = false,
                                    .steps_offset = 1,
                                    .timestep_spacing = diffusion::TimestepSpacing::kTrailing}};
  description.preprocessing = {.resolution = 16,
                               .intensity = {data::IntensityRule::kWindow, -1000, 400.5},
                               .threshold = 0.25,
                               .classes = {.list = {{"background", {}}, {"polyp", {}}}}};
  return description;
}

ModelDescription tiny_description() {
  ModelDescription description;
  description.autoencoder = {.type = models::AutoencoderType::kTiny,
                             .latent_channels = 32,
                             .variant = models::TinyVariant::kTaef2};
  description.unet = test::small_unet(32);
  description.preprocessing.resolution = 32;
  return description;
}

/// KL latents, eightfold smaller than the image, that a tiny decoder takes as well.
ModelDescription kl_with_tiny_decoder() {
  ModelDescription description;
  description.autoencoder = test::small_kl();
  description.autoencoder.ch_mult = {1, 1, 1, 1};
  description.decoder = {.type = models::AutoencoderType::kTiny};
  description.unet = test::small_unet();
  description.preprocessing.resolution = 32;
  return description;
}

TrainingModel fresh_model(const ModelDescription& description) {
  TrainingModel model = make_model(description);
  initialise(model, 3);
  nn::initialise(*model.latent_encoder, 4);  // trained apart, so no copy
  return model;
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

/// A saved model to be damaged.
class DamagedModel : public ::testing::Test {
 protected:
  void SetUp() override { save_model(model_, fresh_model(kl_description())); }

  std::string load_error() const {
    return test::message_of<WeightsError>([&] { load_model(model_); });
  }

  void expect_named(const std::string& name) const {
    const std::string message = load_error();
    EXPECT_NE(message.find(name), std::string::npos) << "expected " << name << " in: " << message;
  }

  test::TemporaryFolder folder_;
  fs::path model_ = folder_ / "model";
};

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

TEST_F(DamagedModel, WithoutPreprocessingThePublishedOneIsAssumed) {
  fs::remove(model_ / "preprocessing.json");
  const Preprocessing preprocessing = load_description(model_).preprocessing;
  EXPECT_EQ(preprocessing.resolution, 256);
  EXPECT_EQ(preprocessing.threshold, 0.5);
}

TEST_F(DamagedModel, MissingFoldersAreNamed) {
  const auto message = test::message_of<WeightsError>([&] { load_model(folder_ / "elsewhere"); });
  EXPECT_NE(message.find("elsewhere"), std::string::npos) << message;
}

TEST_F(DamagedModel, MissingConfigurationsAreNamed) {
  for (const char* part :
       {"unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"}) {
    const std::string content = read_file(model_ / part);
    fs::remove(model_ / part);
    expect_named(part);
    write_file(model_ / part, content);
  }
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, MissingWeightsAreNamed) {
  for (const char* part : {"unet", "vae", "latent_encoder"}) {
    const fs::path weights = model_ / part / "diffusion_pytorch_model.safetensors";
    fs::rename(weights, folder_ / "aside");
    expect_named((model_ / part).string());
    fs::rename(folder_ / "aside", weights);
  }
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, WrongShapesNameTheFileAndTheTensor) {
  TrainingModel other = fresh_model(kl_description());
  other.description.unet.model_channels = 64;  // config.json disagrees with the weights
  save_model(model_, other);
  expect_named((model_ / "unet").string());
  expect_named("of another shape");
  expect_named("input_blocks.0.0.bias: [32] instead of [64]");
}

TEST_F(DamagedModel, BadJsonNamesTheFile) {
  for (const char* part : {"unet/config.json", "vae/config.json", "scheduler/scheduler_config.json",
                           "preprocessing.json"}) {
    const std::string content = read_file(model_ / part);
    for (const char* bad : {"", "{\"a\": ", "[1, 2]"}) {
      write_file(model_ / part, bad);
      expect_named((model_ / part).string());
    }
    write_file(model_ / part, content);
  }
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, MissingKeysAndWrongTypesNameTheFile) {
  const std::map<std::string, std::string> bad{
      {"unet/config.json", R"({"use_scale_shift_norm": true, "resblock_updown": true})"},
      {"vae/config.json", R"({"_class_name": "AutoencoderTiny"})"},
      {"scheduler/scheduler_config.json", R"({"beta_schedule": 5})"},
      {"preprocessing.json", R"({"resolution": "large"})"}};
  for (const auto& [part, text] : bad) {
    const std::string content = read_file(model_ / part);
    write_file(model_ / part, text);
    expect_named((model_ / part).string());
    write_file(model_ / part, content);
  }
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, WhatIsNotKnownNamesTheFile) {
  const auto expect = [&](const std::string& part, const std::string& key, const std::string& value,
                          const std::string& message) {
    const std::string content = read_file(model_ / part);
    auto changed = nlohmann::json::parse(content);
    changed[key] = nlohmann::json::parse(value);
    write_file(model_ / part, changed.dump());
    expect_named(str("'", (model_ / part).string(), "': ", message));
    write_file(model_ / part, content);
  };
  for (const std::string key : {"beta_schedule", "prediction_type", "timestep_spacing"}) {
    expect("scheduler/scheduler_config.json", key, R"("odd")", key + " expects one of ");
  }
  expect("scheduler/scheduler_config.json", "thresholding", "true", "thresholding is true; only ");
  expect("vae/config.json", "embed_dim", "99", "embed_dim and z_channels must be equal");
  expect("unet/config.json", "resblock_updown", "false", "only use_scale_shift_norm and ");
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, FoldersOfBeforeThereWasAChoiceHaveTheFullRange) {
  write_file(model_ / "preprocessing.json", R"({"resolution": 16, "threshold": 0.5})");
  EXPECT_EQ(load_description(model_).preprocessing.intensity, data::Intensity{});
}

TEST_F(DamagedModel, EveryValueFollowsTheRulesOfAConfiguration) {
  const auto expect = [&](const std::string& part, const std::string& key, const std::string& value,
                          const std::string& message) {
    const std::string content = read_file(model_ / part);
    auto changed = nlohmann::json::parse(content);
    changed[key] = nlohmann::json::parse(value);
    write_file(model_ / part, changed.dump());
    expect_named(message);
    expect_named(model_.string());
    write_file(model_ / part, content);
  };
  const std::string unet = "unet/config.json";
  expect(unet, "channel_mult", "[]", "channel_mult (unet/config.json) has 0 levels");
  expect(unet, "channel_mult", "[1, 0]", "channel_mult expects a list of whole numbers >= 1");
  expect(unet, "channel_mult", "3", "channel_mult expects a list");
  expect(unet, "num_heads", "0", "num_heads expects a whole number >= 1, not '0'");
  expect(unet, "num_heads", "3", "num_heads (unet/config.json) 3 does not divide the width");
  expect(unet, "num_heads", "4.5", "num_heads expects a whole number >= 1, not '4.5'");
  expect(unet, "num_res_blocks", "1000000", "num_res_blocks expects a whole number from 1 to 64");
  expect(unet, "model_channels", "80", "model_channels (unet/config.json) 80 times 1");
  expect(unet, "model_channels", "1e99", "model_channels expects a whole number");
  expect(unet, "attention_resolutions", "[3]", "attention_resolutions (unet/config.json) has 3");
  expect(unet, "dropout", "1", "dropout expects a number >= 0 and < 1, not '1'");
  expect(unet, "in_channels", "4", "has in_channels 4 and out_channels 6 (unet/config.json)");
  expect(unet, "in_channels", "\"8\"", "in_channels expects a whole number");
  expect(unet, "num_classes", "7", "num_classes is 7; only null is supported");
  const std::string vae = "vae/config.json";
  expect(vae, "ch_mult", "[]", "ch_mult is [1,1], but in vae/config.json []");
  expect(vae, "ch", "-32", "ch expects a whole number >= 32, not '-32'");
  expect(vae, "scaling_factor", "0", "scaling_factor expects a number > 0, not '0'");
  expect(vae, "scaling_factor", "\"0.2\"", "scaling_factor expects a number > 0");
  expect(vae, "z_channels", "5", "embed_dim and z_channels must be equal");
  expect(vae, "double_z", "false", "double_z is false; only true is supported");
  const std::string encoder = "latent_encoder/config.json";
  expect(encoder, "dropout", "-1", "dropout expects a number >= 0 and < 1, not '-1'");
  expect(encoder, "ch", "64", "ch is 64, but in vae/config.json 32");
  const std::string scheduler = "scheduler/scheduler_config.json";
  expect(scheduler, "beta_start", "0", "beta_start expects a number > 0, not '0'");
  expect(scheduler, "beta_end", "0.0001", "beta_end (scheduler/scheduler_config.json) 0.0001 must");
  expect(scheduler, "num_train_timesteps", "0", "num_train_timesteps expects a whole number >= 1");
  expect(scheduler, "steps_offset", "500", "steps_offset (scheduler/scheduler_config.json) 500");
  expect(scheduler, "clip_sample", "1", "clip_sample expects true or false, not '1'");
  expect(scheduler, "clip_sample", "\"true\"", "clip_sample expects true or false");
  expect(scheduler, "clip_sample_range", "0", "clip_sample_range expects a number > 0");
  expect(scheduler, "beta_schedule", "5", "beta_schedule expects one of linear, ");
  expect(scheduler, "trained_betas", "[0.1]", "trained_betas is [0.1]; only null is supported");
  const std::string preprocessing = "preprocessing.json";
  expect(preprocessing, "threshold", "2", "threshold expects a number from 0 to 1, not '2'");
  expect(preprocessing, "resolution", "-1", "resolution expects a whole number from 8 to 16384");
  expect(preprocessing, "resolution", "18", "resolution (preprocessing.json) 18 is not a multiple");
  expect(preprocessing, "num_inference_steps", "0", "num_inference_steps expects a whole number");
  expect(preprocessing, "num_inference_steps", "501",
         "num_inference_steps (preprocessing.json) 501 must not exceed");
  expect(preprocessing, "channel_order", "\"BGR\"",
         "channel_order is \"BGR\"; only \"RGB\" is supported");
  expect(preprocessing, "classes", "[\"one\"]", "classes expects two classes or more");
  expect(preprocessing, "classes", "[\"a=0\", \"b=0\"]", "classes has the value 0 for 'a' and");
  expect(preprocessing, "class_coding", "\"odd\"", "class_coding expects one of colours, channels");
  expect(preprocessing, "intensity", "\"odd\"", "intensity expects one of full, range, window");
  expect(preprocessing, "window", "[5, 5]",
         "window needs window (preprocessing.json): [low, high]");
  expect(preprocessing, "window", "[5]", "window expects a list of two numbers");
  expect(preprocessing, "format_version", "\"1\"", "format_version expects a whole number");
  expect("model_index.json", "vae", "[\"diffusers\", \"VQModel\"]",
         "vae is \"VQModel\", but in vae/config.json \"AutoencoderKL\"");
  expect("model_index.json", "unet", "5", "unet expects a list of a library and a class");
  EXPECT_EQ(load_error(), "");
}

TEST_F(DamagedModel, ADecoderOfItsOwnFollowsThemToo) {
  save_model(model_, fresh_model(kl_with_tiny_decoder()));
  write_file(model_ / "decoder/config.json",
             R"({"_class_name": "AutoencoderKL", "ch": 40, "ch_mult": [1, 1, 1, 1]})");
  expect_named("of the decoder: ch (");
  expect_named("40 times 1");
  write_file(model_ / "decoder/config.json", R"({"_class_name": "AutoencoderTiny"})");
  expect_named("decoder/config.json': it lacks latent_channels");
}

TEST_F(DamagedModel, OnlyRegularFilesAreRead) {
  fs::remove(model_ / "preprocessing.json");
  ASSERT_EQ(::mkfifo((model_ / "preprocessing.json").c_str(), 0600), 0);
  EXPECT_THROW(load_description(model_), FileError);
  fs::remove(model_ / "preprocessing.json");
  fs::create_symlink("/dev/zero", model_ / "preprocessing.json");
  EXPECT_THROW(load_description(model_), FileError);
}

TEST_F(DamagedModel, NewerFormatsAreRefused) {
  write_file(model_ / "preprocessing.json",
             R"({"format_version": 99, "resolution": 16, "threshold": 0.5})");
  expect_named("newer version");
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
