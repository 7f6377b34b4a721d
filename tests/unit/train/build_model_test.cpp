#include "leaf/train/build_model.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "models/vision_transformer.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;

Config model_config(ModelInit init = ModelInit::kRandom) {
  Config config;
  config.model.init = init;
  config.model.autoencoder = test::small_kl();
  config.model.unet = test::small_unet();
  return config;
}

void expect_equal(const TrainingModel& a, const TrainingModel& b) {
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
  config.data.intensity.rule = data::IntensityRule::kRange;
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
  EXPECT_EQ(description.preprocessing.intensity.rule, data::IntensityRule::kRange);
}

TEST(BuildModel, RandomWeightsFollowFromTheSeed) {
  Config config = model_config();
  const TrainingModel model = build_model(config);
  expect_equal(model, build_model(config));
  expect_copied(*model.latent_encoder, *model.autoencoder);
  config.seed += 1;
  const TrainingModel other = build_model(config);
  EXPECT_FALSE(test::differences(*model.unet, *other.unet).empty());
  EXPECT_FALSE(test::differences(*model.autoencoder, *other.autoencoder).empty());
}

TEST(BuildModel, MissingWeightsNameTheKey) {
  const Config config = model_config(ModelInit::kPretrained);
  const auto message = test::message_of<ConfigError>([&] { build_model(config); });
  EXPECT_NE(message.find("ModelSection::autoencoder_weights"), std::string::npos) << message;
  EXPECT_NE(message.find("ModelSection::init: random"), std::string::npos) << message;
}

TEST(BuildModel, FilesThatAreNotThereAreNamed) {
  const test::TemporaryFolder folder;
  Config config = model_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "vae.safetensors"};
  const auto message = test::message_of<WeightsError>([&] { build_model(config); });
  EXPECT_NE(message.find("vae.safetensors"), std::string::npos) << message;
}

TEST(BuildModel, PathsThatAreNotThereNameTheirKey) {
  const test::TemporaryFolder folder;
  const fs::path gone = folder / "gone";
  const auto expect = [&](const std::string& key, auto&& set) {
    Config config = model_config(ModelInit::kPretrained);
    config.alignment.teacher = "vit_tiny_patch16_224";
    set(config);
    const auto message = test::message_of<WeightsError>([&] {
      key == "AlignmentSection::weights" ? void(build_teacher(config)) : void(build_model(config));
    });
    EXPECT_EQ(message,
              str(key, ": '", gone.string(), "' does not exist; see \"Weights\" in README.md"));
  };
  expect("ModelSection::pretrained", [&](Config& c) { c.model.pretrained = gone; });
  expect("ModelSection::autoencoder_weights",
         [&](Config& c) { c.model.autoencoder_weights = {gone}; });
  expect("ModelSection::unet_weights", [&](Config& c) { c.model.unet_weights = gone; });
  expect("ModelSection::latent_encoder_weights",
         [&](Config& c) { c.model.latent_encoder_weights = gone; });
  expect("AlignmentSection::weights", [&](Config& c) { c.alignment.weights = gone; });
}

TEST(BuildModel, StartsFromAPretrainedFolder) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  nn::initialise(*saved.latent_encoder, 99);  // no longer a copy of the autoencoder's
  save_model(folder / "model", saved);
  Config config = model_config(ModelInit::kPretrained);
  config.model.pretrained = folder / "model";
  config.seed += 1;
  expect_equal(build_model(config), saved);
}

TEST(BuildModel, APretrainedRunIsItsBestModel) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  save_model(folder / "run/best", saved);
  fs::create_directories(folder / "run/last");
  Config config = model_config(ModelInit::kPretrained);
  config.model.pretrained = folder / "run";
  config.seed += 1;
  expect_equal(build_model(config), saved);
  config.model.pretrained = folder / "run/last";
  config.model.autoencoder_weights = {folder / "run/best"};
  EXPECT_EQ(test::message_of<WeightsError>([&] { build_model(config); }),
            "ModelSection::pretrained: '" + (folder / "run/last").string() +
                "' has no unet, vae or latent_encoder, nor has its best or last");
}

TEST(BuildModel, DrawsAndCopiesWhatHasNoWeights) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  save_autoencoder(folder / "start", *saved.autoencoder, saved.description.autoencoder);
  Config config = model_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "start"};
  expect_equal(build_model(config), saved);  // the same seed draws the same U-Net
  config.seed += 1;
  const TrainingModel other = build_model(config);
  EXPECT_TRUE(test::differences(*other.autoencoder, *saved.autoencoder).empty());
  EXPECT_FALSE(test::differences(*other.unet, *saved.unet).empty());
}

TEST(BuildModel, TakesDiffusersAutoencoderForBothEncoders) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  io::write_safetensors(folder / "vae.safetensors",
                        io::to_diffusers_autoencoder(io::state_dict(*saved.autoencoder)));
  Config config = model_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "vae.safetensors"};
  expect_equal(build_model(config), saved);
  config.model.latent_encoder_weights = folder / "vae.safetensors";
  expect_equal(build_model(config), saved);
}

TEST(BuildModel, TakesAnAutoencoderInTwoFiles) {
  const test::TemporaryFolder folder;
  Config config = model_config();
  config.model.autoencoder = {.type = models::AutoencoderType::kTiny, .latent_channels = 4};
  const TrainingModel saved = build_model(config);
  const io::TensorMap weights = io::state_dict(*saved.autoencoder);
  // TAESD's own files: bare positions, the decoder's one further.
  io::TensorMap decoder;
  for (const auto& [name, tensor] : io::strip_prefix(weights, "decoder.layers.")) {
    decoder.emplace(str(std::stoi(name) + 1, name.substr(name.find('.'))), tensor);
  }
  const fs::path encoder_file = folder / "encoder.safetensors";
  io::write_safetensors(encoder_file, io::strip_prefix(weights, "encoder.layers."));
  io::write_safetensors(folder / "decoder.safetensors", decoder);
  config.model.init = ModelInit::kPretrained;
  config.model.autoencoder_weights = {encoder_file, folder / "decoder.safetensors"};
  expect_equal(build_model(config), saved);

  config.model.autoencoder_weights.push_back(encoder_file);
  expect_equal(build_model(config), saved);  // the same weights twice are no conflict

  io::TensorMap other = io::strip_prefix(weights, "encoder.layers.");
  other["0.bias"] = other["0.bias"] + 1;
  io::write_safetensors(folder / "other.safetensors", other);
  config.model.autoencoder_weights.push_back(folder / "other.safetensors");
  const auto message = test::message_of<WeightsError>([&] { build_model(config); });
  EXPECT_NE(message.find(str("'", encoder_file.string(), "' and '",
                             (folder / "other.safetensors").string(),
                             "' hold different weights of the autoencoder")),
            std::string::npos)
      << message;
}

TEST(BuildModel, TheAverageOfAPublishedCheckpointIsPreferred) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  save_model(folder / "model", saved);
  io::TensorMap average = io::state_dict(*saved.unet);
  average["out.2.bias"] = average["out.2.bias"] + 1;
  fs::create_directory(folder / "model/unet_ema");
  io::write_safetensors(folder / "model/unet_ema" / io::kDiffusersWeights, average);
  Config config = model_config(ModelInit::kPretrained);
  config.model.pretrained = folder / "model";
  EXPECT_EQ(test::differences(*build_model(config).unet, *saved.unet),
            std::vector<std::string>{"out.2.bias"});
}

TEST(BuildModel, EveryNetworkThatDoesNotFitIsNamed) {
  const test::TemporaryFolder folder;
  save_model(folder / "model", build_model(model_config()));
  Config config = model_config(ModelInit::kPretrained);
  config.model.pretrained = folder / "model";
  config.model.autoencoder.ch = 64;
  config.model.unet.model_channels = 64;
  const auto message = test::message_of<WeightsError>([&] { build_model(config); });
  for (const char* part : {"vae", "unet", "latent_encoder"}) {
    EXPECT_NE(message.find((folder / "model" / part).string() + "' do not fit"), std::string::npos)
        << part << " in: " << message;
  }
}

TEST(BuildModel, WeightsOfAnotherNetworkAreNamed) {
  const test::TemporaryFolder folder;
  const TrainingModel saved = build_model(model_config());
  io::write_safetensors(folder / "unet.safetensors", io::state_dict(*saved.unet));
  Config config = model_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "unet.safetensors"};
  const auto message = test::message_of<WeightsError>([&] { build_model(config); });
  EXPECT_NE(message.find("U-Net (CompVis, LEAF)"), std::string::npos) << message;
  EXPECT_NE(message.find("holds no autoencoder, only: unet"), std::string::npos) << message;
}

TEST(BuildModel, WidensAnUnconditionalUNet) {
  const test::TemporaryFolder folder;
  models::UNetConfig narrow_config = test::small_unet();
  narrow_config.in_channels = narrow_config.out_channels;
  const auto narrow = std::make_shared<models::UNet>(narrow_config);
  nn::initialise(*narrow, 5);
  const io::TensorMap weights = io::state_dict(*narrow);
  io::write_safetensors(folder / "unet.safetensors", weights);

  const TrainingModel start = build_model(model_config());
  save_autoencoder(folder / "start", *start.autoencoder, start.description.autoencoder);
  Config config = model_config(ModelInit::kPretrained);
  config.model.autoencoder_weights = {folder / "start"};
  config.model.unet_weights = folder / "unet.safetensors";
  const io::TensorMap built = io::state_dict(*build_model(config).unet);
  const std::string first = "input_blocks.0.0.weight";
  EXPECT_TRUE(at::equal(built.at(first),
                        models::widen_input(weights.at(first), models::InputWidening::kHalved)));
  EXPECT_TRUE(at::equal(built.at("input_blocks.0.0.bias"), weights.at("input_blocks.0.0.bias")));
  EXPECT_TRUE(at::equal(built.at("time_embed.0.weight"), weights.at("time_embed.0.weight")));
}

TEST(BuildTeacher, IsNullWithoutAlignment) {
  Config config = model_config();
  config.alignment.teacher = "none";
  EXPECT_EQ(build_teacher(config), nullptr);
  config.alignment.teacher = "vit_tiny_patch16_224";
  config.alignment.lambda = 0.0;
  EXPECT_EQ(build_teacher(config), nullptr);
}

TEST(BuildTeacher, IsFrozen) {
  Config config = model_config();
  config.alignment.teacher = "vit_tiny_patch16_224";
  const auto teacher = build_teacher(config);
  ASSERT_NE(teacher, nullptr);
  EXPECT_FALSE(teacher->is_training());
  for (const at::Tensor& parameter : teacher->parameters()) {
    EXPECT_FALSE(parameter.requires_grad());
  }
}

TEST(BuildTeacher, AnothersFolderOfTheSameShapeIsRefused) {
  const test::TemporaryFolder folder;
  const models::VisionTransformer tiny(models::vision_transformer_config("vit_tiny_patch16_224"));
  io::write_safetensors(folder / "model.safetensors", io::state_dict(tiny));
  write_file(folder / "config.json",
             R"({"name": "another_tiny", "_class_name": "VisionTransformer"})");
  Config config;
  config.alignment.teacher = "vit_tiny_patch16_224";
  config.alignment.weights = folder.path();
  const auto message = test::message_of<WeightsError>([&] { build_teacher(config); });
  EXPECT_NE(message.find("says that it is another_tiny, not AlignmentSection::teacher"),
            std::string::npos)
      << message;
  write_file(folder / "config.json",
             R"({"name": "vit_tiny_patch16_224", "_class_name": "VisionTransformer"})");
  EXPECT_NE(build_teacher(config), nullptr);
}

TEST(BuildTeacher, MissingWeightsNameTheKey) {
  Config config = model_config(ModelInit::kPretrained);
  config.alignment.teacher = "vit_tiny_patch16_224";
  const auto message = test::message_of<ConfigError>([&] { build_teacher(config); });
  EXPECT_NE(message.find("AlignmentSection::weights"), std::string::npos) << message;
}

}  // namespace leaf
