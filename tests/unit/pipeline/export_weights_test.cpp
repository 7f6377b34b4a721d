#include "leaf/pipeline/export_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/import_weights.h"
#include "models/autoencoder.h"
#include "models/vision_transformer.h"
#include "nn/module.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::expect_contains;

class ExportWeights : public ::testing::Test {
 protected:
  /// Writes an autoencoder's folder and returns its tensors.
  io::TensorMap write_autoencoder(const fs::path& folder,
                                  const models::AutoencoderConfig& config) const {
    const auto autoencoder = models::make_autoencoder(config);
    nn::initialise(*autoencoder, 3);
    save_autoencoder(folder, *autoencoder, config);
    return io::state_dict(*autoencoder);
  }

  std::string refusal(const fs::path& from, const SaveOptions& options) const {
    const std::string message =
        test::message_of<WeightsError>([&] { export_weights(from, target_, options); });
    EXPECT_FALSE(fs::exists(target_));
    return message;
  }

  test::TemporaryFolder folder_;
  fs::path target_ = folder_ / "target";
};

}  // namespace

TEST_F(ExportWeights, AnAutoencoderAlone) {
  const io::TensorMap tensors = write_autoencoder(folder_ / "start", test::small_kl());
  const auto description =
      export_weights(folder_ / "start", target_, {.type = WeightType::kBFloat16});
  EXPECT_FALSE(description.has_value());
  EXPECT_EQ(list_folder(target_), std::vector<fs::path>{target_ / "vae"});
  const io::TensorMap stored = io::read_weights(target_ / "vae");
  ASSERT_EQ(stored.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_TRUE(at::equal(stored.at(name), tensor.to(at::kBFloat16))) << name;
  }
}

TEST_F(ExportWeights, TheBestOfAnAutoencodersRunUnderDiffusersNames) {
  models::AutoencoderConfig config = test::small_kl();
  config.scaling_factor = 0.5;
  const io::TensorMap tensors = write_autoencoder(folder_ / "run/best", config);
  write_autoencoder(folder_ / "run/last", models::AutoencoderConfig{.ch = 32, .ch_mult = {1}});
  export_weights(folder_ / "run", target_, {.format = FolderFormat::kDiffusers});
  const io::TensorMap stored = io::read_weights(target_ / "vae");
  const io::TensorMap expected = io::to_diffusers_autoencoder(tensors);
  ASSERT_EQ(stored.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    EXPECT_TRUE(stored.contains(name) && at::equal(stored.at(name), tensor)) << name;
  }
  const std::string written = read_file(target_ / "vae/config.json");
  expect_contains(written, "\"scaling_factor\": 0.5");
  expect_contains(written, "\"block_out_channels\"");
}

TEST_F(ExportWeights, ATeacherAlone) {
  const models::VisionTransformerConfig config{
      .name = "small", .width = 64, .depth = 1, .num_heads = 1, .patch_size = 4, .grid = 2};
  const auto teacher = std::make_shared<models::VisionTransformer>(config);
  nn::initialise(*teacher, 5);
  io::write_safetensors(folder_ / "dino.safetensors", io::state_dict(*teacher));
  import_weights({(folder_ / "dino.safetensors").string()}, folder_ / "teacher");
  expect_contains(refusal(folder_ / "teacher", {.format = FolderFormat::kDiffusers}),
                  "is a teacher, for which diffusers has no names");
  export_weights(folder_ / "teacher", target_, {.type = WeightType::kFloat16});
  EXPECT_TRUE(read_file(target_ / "config.json") == read_file(folder_ / "teacher/config.json"));
  const io::TensorMap stored = io::read_weights(target_);
  const io::TensorMap expected = io::state_dict(*teacher);
  ASSERT_EQ(stored.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    EXPECT_TRUE(at::equal(stored.at(name), tensor.to(at::kHalf))) << name;
  }
}

TEST_F(ExportWeights, WhatHasNoNamesOrIsNoFolderOfOursIsRefused) {
  write_autoencoder(folder_ / "pooling", {.type = models::AutoencoderType::kTiny,
                                          .latent_channels = 32,
                                          .variant = models::TinyVariant::kTaef2});
  expect_contains(refusal(folder_ / "pooling", {.format = FolderFormat::kDiffusers}),
                  "no autoencoder of the kind taef2");
  expect_contains(refusal(folder_ / "pooling", {.format = FolderFormat::kSdseg}),
                  "needs a complete model");
  fs::create_directory(folder_ / "empty");
  expect_contains(refusal(folder_ / "empty", {}), "neither a model folder");
  write_autoencoder(folder_ / "damaged", test::small_kl());
  write_file(folder_ / "damaged/model_index.json", "{}");
  expect_contains(refusal(folder_ / "damaged", {}), "it has no unet");
  for (const char* part : {"latent_encoder", "unet_ema"}) {  // never dropped silently
    write_autoencoder(folder_ / part, test::small_kl());
    fs::create_directory(folder_ / part / part);
    expect_contains(refusal(folder_ / part, {}), "it has no unet");
  }
}

TEST(Folders, AKindIsFoundInTheFolderItselfOrARunsBestOrLast) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(find_folder(folder.path(), is_parts_folder));
  fs::create_directories(folder / "last/vae");
  EXPECT_EQ(find_folder(folder.path(), is_parts_folder), folder / "last");
  EXPECT_FALSE(is_autoencoder_folder(folder / "last"));
  write_file(folder / "last/vae/config.json", "{}");
  EXPECT_TRUE(is_autoencoder_folder(folder / "last"));
  fs::create_directories(folder / "best/unet");
  EXPECT_EQ(find_folder(folder.path(), is_parts_folder), folder / "best");
}

TEST(Folders, WhatIsNoModelFolderIsCalledWhatItIs) {
  const test::TemporaryFolder folder;
  const auto refusal = [&](const std::string& path) {
    return test::message_of<WeightsError>([&] { find_model_folder(folder / path); });
  };
  write_file(folder / "autoencoder/best/vae/config.json", "{}");
  test::expect_contains(refusal("autoencoder"), "an autoencoder alone");
  write_file(folder / "run/best/unet/config.json", "{}");
  test::expect_contains(refusal("run/best/unet"), "a part of the model folder");
  test::expect_contains(refusal(""), "a folder that holds models");
  write_file(folder / "run/checkpoints/step-0000001/state.json", "{}");
  test::expect_contains(refusal("run/checkpoints/step-0000001"), "a checkpoint");
}

TEST(Folders, ARunIsKnownByItsConfigurationAndItsDivision) {
  const test::TemporaryFolder folder;
  fs::create_directories(folder / "run/best");
  write_file(folder / "run" / kRunConfig, "");
  EXPECT_FALSE(run_folder_of(folder / "run/best"));
  write_file(folder / "run" / kRunSplit, "");
  EXPECT_EQ(run_folder_of(folder / "run/best"), fs::weakly_canonical(folder / "run"));
  EXPECT_EQ(run_folder_of(folder / "run/best/"), fs::weakly_canonical(folder / "run"));
  EXPECT_FALSE(run_folder_of(folder / "run"));
}

TEST(Folders, ATeachersIsKnownByItsClass) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(is_teacher_folder(folder.path()));
  for (const char* other : {R"({"_class_name": 1})", R"({"_class_name": "UNet"})"}) {
    write_file(folder / "config.json", other);
    EXPECT_FALSE(is_teacher_folder(folder.path())) << other;
  }
  write_file(folder / "config.json", R"({"_class_name":"VisionTransformer"})");
  EXPECT_TRUE(is_teacher_folder(folder.path()));
  for (const char* damaged : {"{", "[]"}) {
    write_file(folder / "config.json", damaged);
    EXPECT_THROW(is_teacher_folder(folder.path()), WeightsError) << damaged;
  }
}

}  // namespace leaf
