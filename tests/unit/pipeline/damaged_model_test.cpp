#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"
#include "saved_models.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::fresh_model;
using test::kl_description;
using test::kl_with_tiny_decoder;

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
  expect(scheduler, "num_train_timesteps", "0",
         "num_train_timesteps expects a whole number from 1 to 65536");
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

}  // namespace leaf
