#include "leaf/train/build_model.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/models/vision_transformer.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

Config small_config(ModelInit init = ModelInit::kRandom) {
  Config config;
  config.model.init = init;
  config.model.autoencoder = test::small_kl();
  config.model.unet = test::small_unet();
  return config;
}

void expect_equal(const Model& a, const Model& b) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(test::differences(*a.autoencoder, *b.autoencoder), Names{});
  EXPECT_EQ(test::differences(*a.latent_encoder, *b.latent_encoder), Names{});
  EXPECT_EQ(test::differences(*a.unet, *b.unet), Names{});
}

/// The parameters of `part` are those of the same name in `whole`.
void expect_copied(const torch::nn::Module& part, const torch::nn::Module& whole) {
  const auto expected = whole.named_parameters();
  for (const auto& item : part.named_parameters()) {
    EXPECT_TRUE(at::equal(item.value(), expected[item.key()])) << item.key();
  }
}

}  // namespace

TEST(Describe, ChannelsFollowFromTheLatent) {
  Config config;
  config.model.autoencoder.latent_channels = 16;
  config.model.latent_encoder_dropout = 0.1;
  config.diffusion.scheduler.prediction_type = diffusion::PredictionType::kEpsilon;
  config.data.resolution = 128;
  config.validation.threshold = 0.4;
  const ModelDescription description = describe(config);
  EXPECT_EQ(description.autoencoder.latent_channels, 16);
  EXPECT_EQ(description.unet.in_channels, 32);
  EXPECT_EQ(description.unet.out_channels, 16);
  EXPECT_EQ(description.unet.model_channels, 192);
  EXPECT_EQ(description.latent_encoder_dropout, 0.1);
  EXPECT_EQ(description.scheduler.prediction_type, diffusion::PredictionType::kEpsilon);
  EXPECT_EQ(description.preprocessing.resolution, 128);
  EXPECT_EQ(description.preprocessing.threshold, 0.4);
}

TEST(BuildModel, RandomWeightsFollowFromTheSeed) {
  Config config = small_config();
  const Model model = build_model(config);
  expect_equal(model, build_model(config));
  expect_copied(*model.latent_encoder, *model.autoencoder);
  config.seed += 1;
  const Model other = build_model(config);
  EXPECT_FALSE(test::differences(*model.unet, *other.unet).empty());
  EXPECT_FALSE(test::differences(*model.autoencoder, *other.autoencoder).empty());
}

TEST(BuildModel, MissingWeightsNameTheKey) {
  const Config config = small_config(ModelInit::kPretrained);
  const auto message = test::message_of<ConfigError>([&] { build_model(config); });
  EXPECT_NE(message.find("model.autoencoder.weights"), std::string::npos) << message;
  EXPECT_NE(message.find("model.init: random"), std::string::npos) << message;
}

TEST(BuildModel, FilesThatAreNotThereAreNamed) {
  const test::TemporaryFolder folder;
  Config config = small_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "vae.safetensors"};
  const auto message = test::message_of<WeightsError>([&] { build_model(config); });
  EXPECT_NE(message.find("vae.safetensors"), std::string::npos) << message;
}

TEST(BuildModel, StartsFromAPretrainedFolder) {
  const test::TemporaryFolder folder;
  const Model saved = build_model(small_config());
  nn::initialise(*saved.latent_encoder, 99);  // no longer a copy of the autoencoder's
  save_model(folder / "model", saved);
  Config config = small_config(ModelInit::kPretrained);
  config.model.pretrained = folder / "model";
  config.seed += 1;
  expect_equal(build_model(config), saved);
}

TEST(BuildModel, DrawsAndCopiesWhatHasNoWeights) {
  const test::TemporaryFolder folder;
  const Model saved = build_model(small_config());
  save_autoencoder(folder / "start", *saved.autoencoder, saved.description.autoencoder);
  Config config = small_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "start"};
  expect_equal(build_model(config), saved);  // the same seed draws the same U-Net
  config.seed += 1;
  const Model other = build_model(config);
  EXPECT_TRUE(test::differences(*other.autoencoder, *saved.autoencoder).empty());
  EXPECT_FALSE(test::differences(*other.unet, *saved.unet).empty());
}

TEST(BuildModel, WidensAnUnconditionalUNet) {
  const test::TemporaryFolder folder;
  models::UNetConfig narrow_config = test::small_unet();
  narrow_config.in_channels = narrow_config.out_channels;
  const auto narrow = std::make_shared<models::UNet>(narrow_config);
  nn::initialise(*narrow, 5);
  const io::TensorMap weights = io::state_dict(*narrow);
  io::write_safetensors(folder / "unet.safetensors", weights);

  const Model start = build_model(small_config());
  save_autoencoder(folder / "start", *start.autoencoder, start.description.autoencoder);
  Config config = small_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "start"};
  config.model.unet_weights = folder / "unet.safetensors";
  const io::TensorMap built = io::state_dict(*build_model(config).unet);
  const std::string first = "input_blocks.0.0.weight";
  EXPECT_TRUE(at::equal(built.at(first), models::widen_input(weights.at(first))));
  EXPECT_TRUE(at::equal(built.at("input_blocks.0.0.bias"), weights.at("input_blocks.0.0.bias")));
  EXPECT_TRUE(at::equal(built.at("time_embed.0.weight"), weights.at("time_embed.0.weight")));
}

TEST(BuildTeacher, IsNullWithoutAlignment) {
  Config config = small_config();
  config.alignment.teacher = "none";
  EXPECT_EQ(build_teacher(config), nullptr);
  config.alignment.teacher = "vit_tiny_patch16_224";
  config.alignment.lambda = 0.0;
  EXPECT_EQ(build_teacher(config), nullptr);
}

TEST(BuildTeacher, IsFrozen) {
  Config config = small_config();
  config.alignment.teacher = "vit_tiny_patch16_224";
  const auto teacher = build_teacher(config);
  ASSERT_NE(teacher, nullptr);
  EXPECT_FALSE(teacher->is_training());
  for (const at::Tensor& parameter : teacher->parameters()) {
    EXPECT_FALSE(parameter.requires_grad());
  }
}

TEST(BuildTeacher, MissingWeightsNameTheKey) {
  Config config = small_config(ModelInit::kPretrained);
  config.alignment.teacher = "vit_tiny_patch16_224";
  const auto message = test::message_of<ConfigError>([&] { build_teacher(config); });
  EXPECT_NE(message.find("alignment.weights"), std::string::npos) << message;
}

}  // namespace leaf
