#include "leaf/pipeline/import_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/export_weights.h"
#include "models/autoencoder.h"
#include "models/unet.h"
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

using io::TensorMap;
using Names = std::vector<std::string>;

const std::string kFirst = "input_blocks.0.0.weight";
constexpr std::int64_t kLatentChannels = 4;

TensorMap renamed(const TensorMap& tensors, const std::string& prefix) {
  return io::with_prefix(tensors, prefix);
}

/// The names of a moving average: no dots.
TensorMap average_of(const TensorMap& unet) {
  TensorMap average;
  for (const auto& [name, tensor] : unet) {
    std::string plain = name;
    std::erase(plain, '.');
    average["model_ema.diffusion_model" + plain] = tensor + 1;
  }
  return average;
}

class ImportWeights : public ::testing::Test {
 protected:
  ImportWeights() {
    ModelDescription description;
    description.autoencoder = test::small_kl();
    description.unet = test::small_unet();
    model_ = make_model(description);
    initialise(model_, 3);
    nn::initialise(*model_.latent_encoder, 4);
    unet_ = io::state_dict(*model_.unet);
    narrow_unet_ = unet_;
    narrow_unet_[kFirst] = unet_[kFirst].narrow(1, 0, kLatentChannels).clone();
    autoencoder_ = io::state_dict(*model_.autoencoder);
    latent_encoder_ = io::state_dict(*model_.latent_encoder);
  }

  std::string write(const std::string& name, const TensorMap& tensors) const {
    io::write_safetensors(folder_ / name, tensors);
    return (folder_ / name).string();
  }

  /// A Lightning checkpoint of CompVis: U-Net without the image's latent, autoencoder, the rest.
  TensorMap lightning() const {
    TensorMap tensors = renamed(narrow_unet_, "model.diffusion_model.");
    tensors.merge(renamed(autoencoder_, "first_stage_model."));
    tensors.merge(average_of(narrow_unet_));
    tensors["first_stage_model.loss.logvar"] = at::zeros({});
    tensors["betas"] = at::zeros({10});
    return tensors;
  }

  TrainingModel imported(const std::vector<std::string>& paths,
                         const ImportOptions& options = {}) const {
    import_weights(paths, target_, options);
    return load_training_model(target_);
  }

  std::string error(const std::vector<std::string>& paths,
                    const ImportOptions& options = {}) const {
    const std::string message =
        test::message_of<WeightsError>([&] { import_weights(paths, target_, options); });
    EXPECT_FALSE(fs::exists(target_));
    return message;
  }

  test::TemporaryFolder folder_;
  fs::path target_ = folder_ / "target";
  TrainingModel model_;
  TensorMap unet_, narrow_unet_, autoencoder_, latent_encoder_;
};

}  // namespace

TEST_F(ImportWeights, LightningCheckpointBecomesTheStartOfThePaper) {
  const TrainingModel start = imported({write("model.safetensors", lightning())});
  EXPECT_EQ(test::differences(*start.autoencoder, *model_.autoencoder), Names{});
  EXPECT_EQ(test::differences(*start.unet, *model_.unet), Names{kFirst});
  EXPECT_TRUE(
      at::equal(io::state_dict(*start.unet)[kFirst],
                models::widen_input(narrow_unet_.at(kFirst), models::InputWidening::kHalved)));
  for (const auto& [name, tensor] : io::state_dict(*start.latent_encoder)) {
    EXPECT_TRUE(at::equal(tensor, autoencoder_.at(name))) << name;
  }
  EXPECT_EQ(start.description.unet.in_channels, 8);
  EXPECT_EQ(start.description.unet.num_heads, 8);
  EXPECT_EQ(start.description.autoencoder.scaling_factor, 0.18215);
  EXPECT_EQ(start.description.scheduler.prediction_type, diffusion::PredictionType::kSample);
}

TEST_F(ImportWeights, TheAverageOnRequestAndHeads) {
  const TrainingModel start =
      imported({write("model.safetensors", lightning())}, {.prefer_ema = true, .num_heads = 4});
  EXPECT_TRUE(at::equal(io::state_dict(*start.unet)["out.2.bias"], unet_["out.2.bias"] + 1));
  EXPECT_EQ(start.description.unet.num_heads, 4);
  EXPECT_THROW(import_weights({write("model.safetensors", lightning())}, folder_ / "other",
                              {.num_heads = 5}),
               ConfigError);
}

TEST_F(ImportWeights, AutoencoderAndUNetApart) {
  TensorMap with_loss = autoencoder_;
  with_loss["loss.logvar"] = at::zeros({});
  const TrainingModel start =
      imported({write("kl.safetensors", with_loss), write("u.safetensors", narrow_unet_)});
  EXPECT_EQ(test::differences(*start.autoencoder, *model_.autoencoder), Names{});
}

TEST_F(ImportWeights, SameAutoencoderTwiceIsNoConflict) {
  const std::string both = write("model.safetensors", lightning());
  const std::string alone = write("kl.safetensors", autoencoder_);
  EXPECT_EQ(test::differences(*imported({alone, both}).autoencoder, *model_.autoencoder), Names{});
}

TEST_F(ImportWeights, OfTwoAutoencodersOneMustBeChosen) {
  const std::string both = write("model.safetensors", lightning());
  TensorMap other = autoencoder_;
  other["quant_conv.bias"] = other["quant_conv.bias"] + 1;
  const std::string alone = write("kl.safetensors", other);
  const std::string message = error({alone, both});
  expect_contains(message, "different weights of the autoencoder (quant_conv.bias)");
  expect_contains(message, "autoencoder=FILE");
  const TrainingModel chosen = imported({"autoencoder=" + alone, "unet=" + both});
  EXPECT_EQ(test::differences(*chosen.autoencoder, *model_.autoencoder), Names{"quant_conv.bias"});
}

TEST_F(ImportWeights, ThePartAskedForMustBeThere) {
  expect_contains(error({"unet=" + write("kl.safetensors", autoencoder_)}),
                  "holds no unet, only: autoencoder");
}

TEST_F(ImportWeights, AnAutoencoderCanBeAskedForItsEncoder) {
  const std::string kl = write("kl.safetensors", autoencoder_);
  const Model model =
      imported({kl, "latent_encoder=" + kl, write("u.safetensors", unet_)}, {.num_heads = 4});
  for (const auto& [name, tensor] : io::state_dict(*model.latent_encoder)) {
    EXPECT_TRUE(at::equal(tensor, autoencoder_.at(name))) << name;
  }
}

TEST_F(ImportWeights, AnotherDecoderOfTheSameLatents) {
  models::AutoencoderConfig config = test::small_kl();
  config.ch = 64;
  config.ch_mult = {1, 2};
  const auto other = models::make_autoencoder(config);
  nn::initialise(*other, 7);
  const std::string file = write("other.safetensors", io::state_dict(*other));
  const Model model =
      imported({write("model.safetensors", lightning()), "decoder=" + file}, {.num_heads = 4});
  ASSERT_TRUE(model.description.decoder.has_value());
  EXPECT_EQ(model.description.decoder->ch * model.description.decoder->ch_mult.back(), 128);
  EXPECT_EQ(test::differences(*model.decoder, *other->decoder()), Names{});

  const models::AutoencoderConfig tiny{.type = models::AutoencoderType::kTiny};
  const auto decoder = models::make_latent_decoder(tiny);
  nn::initialise(*decoder, 7);
  fs::remove_all(target_);
  expect_contains(error({write("model.safetensors", lightning()),
                         "decoder=" + write("tiny.safetensors", io::state_dict(*decoder))}),
                  "the decoder takes other latents");
}

TEST_F(ImportWeights, CheckpointOfThePublishedTraining) {
  TensorMap average = unet_;
  average["out.2.bias"] = average["out.2.bias"] + 1;
  for (const auto& [part, tensors] : std::map<std::string, TensorMap>{
           {"unet", unet_}, {"unet_ema", average}, {"latent_encoder", latent_encoder_}}) {
    fs::create_directories(folder_ / "checkpoint" / part);
    write("checkpoint/" + part + "/diffusion_pytorch_model.safetensors", tensors);
  }
  write_file(folder_ / "checkpoint/unet_ema/config.json",
             R"({"_class_name": "UNetModel", "num_heads": 4, "dropout": 0.1})");
  const std::string checkpoint = (folder_ / "checkpoint").string();
  expect_contains(error({checkpoint}), "these files hold no autoencoder; add one that does");
  const TrainingModel model = imported({checkpoint, write("kl.safetensors", autoencoder_)});
  EXPECT_EQ(test::differences(*model.unet, *model_.unet), Names{"out.2.bias"});
  EXPECT_EQ(test::differences(*model.latent_encoder, *model_.latent_encoder), Names{});
  EXPECT_EQ(model.description.unet.num_heads, 4);
  EXPECT_EQ(model.description.unet.dropout, 0.1);
}

TEST_F(ImportWeights, AModelFolderStaysWhatItIs) {
  model_.description.scheduler.prediction_type = diffusion::PredictionType::kVPrediction;
  Preprocessing& preprocessing = model_.description.preprocessing;
  preprocessing.resolution = 16;
  preprocessing.threshold = 0.25;
  preprocessing.classes.list = {{"background", {}}, {"polyp", {}}};
  model_.description.autoencoder.scaling_factor = 0.5;
  model_.description.latent_encoder_dropout = 0.1;
  model_.description.distilled_from = Origin{.model = "teacher", .sha256 = std::string(64, 'a')};
  save_model(folder_ / "model", model_);
  const TrainingModel model = imported({(folder_ / "model").string()});
  for (const char* file :
       {"unet/config.json", "vae/config.json", "latent_encoder/config.json", "preprocessing.json",
        "model_index.json", "scheduler/scheduler_config.json",
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
        "latent_encoder/diffusion_pytorch_model.safetensors"}) {
    EXPECT_TRUE(read_file(folder_ / "model" / file) == read_file(target_ / file)) << file;
  }
}

TEST_F(ImportWeights, WhatTakesAPartFromElsewhereIsNotTheDistilledModel) {
  model_.description.distilled_from = Origin{.model = "teacher", .sha256 = std::string(64, 'a')};
  save_model(folder_ / "model", model_);
  const std::string folder = (folder_ / "model").string();
  const TrainingModel model = imported({"unet=" + write("unet.safetensors", unet_),
                                        "autoencoder=" + folder, "latent_encoder=" + folder});
  EXPECT_FALSE(model.description.distilled_from);
}

TEST_F(ImportWeights, TheScheduleIsThatOfTheUNetsFolder) {
  model_.description.scheduler.prediction_type = diffusion::PredictionType::kVPrediction;
  save_model(folder_ / "of_unet", model_);
  model_.description.scheduler.prediction_type = diffusion::PredictionType::kEpsilon;
  save_model(folder_ / "of_rest", model_);
  const std::string unet = "unet=" + (folder_ / "of_unet").string();
  const std::string rest = (folder_ / "of_rest").string();
  std::filesystem::copy(folder_ / "of_rest", folder_ / "without_unet",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(folder_ / "without_unet/unet");
  for (const auto& sources :
       {std::vector<std::string>{unet, "autoencoder=" + rest},
        std::vector<std::string>{"autoencoder=" + rest, unet},
        std::vector<std::string>{unet, (folder_ / "without_unet").string()}}) {
    EXPECT_EQ(imported(sources).description.scheduler.prediction_type,
              diffusion::PredictionType::kVPrediction);
  }
}

TEST_F(ImportWeights, DiffusersNamesAndBack) {
  save_model(folder_ / "exported", model_, {.format = FolderFormat::kDiffusers});
  const std::string message =
      test::message_of<WeightsError>([&] { load_model(folder_ / "exported"); });
  expect_contains(message, "leaf::import_weights takes such a folder");
  const TrainingModel model = imported({(folder_ / "exported").string()});
  EXPECT_EQ(test::differences(*model.autoencoder, *model_.autoencoder), Names{});
  EXPECT_EQ(test::differences(*model.unet, *model_.unet), Names{});
}

TEST_F(ImportWeights, Sdseg) {
  constexpr double kScale = 0.25;
  TensorMap tensors = renamed(unet_, "model.diffusion_model.");
  tensors["model.diffusion_model." + kFirst] = at::cat(
      {unet_[kFirst].narrow(1, 4, 4), unet_[kFirst].narrow(1, 0, 4)}, 1);  // mask latent first
  tensors.merge(renamed(autoencoder_, "first_stage_model."));
  tensors.merge(
      renamed(io::strip_prefix(latent_encoder_, "encoder."), "cond_stage_model.encoder."));
  const at::Tensor out = test::normal({4, 8, 1, 1});
  tensors["cond_stage_model.out.weight"] = out;
  tensors["cond_stage_model.out.bias"] = at::ones({4});
  tensors["scale_factor"] = at::tensor(kScale);
  const TrainingModel model = imported({write("sdseg.safetensors", tensors)});
  EXPECT_EQ(test::differences(*model.unet, *model_.unet), Names{});
  EXPECT_EQ(model.description.autoencoder.scaling_factor, kScale);
  const auto& scheduler = model.description.scheduler;
  EXPECT_EQ(scheduler.prediction_type, diffusion::PredictionType::kEpsilon);
  EXPECT_EQ(scheduler.beta_schedule, diffusion::BetaSchedule::kScaledLinear);
  EXPECT_FALSE(scheduler.clip_sample);
  const at::Tensor mean =
      io::state_dict(*model.latent_encoder)["quant_conv.weight"].narrow(0, 0, 4);
  EXPECT_TRUE(at::allclose(mean * kScale, out));
}

TEST_F(ImportWeights, SdsegAndBack) {
  TrainingModel model = model_;
  model.description.autoencoder.scaling_factor = 0.25;
  save_model(folder_ / "model-of-scale", model);
  export_weights(folder_ / "model-of-scale", folder_ / "exported",
                 {.format = FolderFormat::kSdseg});
  const fs::path file = folder_ / "exported" / kSdsegWeights;
  const TensorMap written = io::read_weights(file);
  EXPECT_TRUE(at::equal(written.at("model.diffusion_model." + kFirst).narrow(1, 0, 4),
                        unet_.at(kFirst).narrow(1, 4, 4)));
  EXPECT_EQ(written.at("scale_factor").item<float>(), 0.25F);
  std::string ema = kFirst;
  std::erase(ema, '.');
  EXPECT_TRUE(at::equal(written.at("model_ema.diffusion_model" + ema),
                        written.at("model.diffusion_model." + kFirst)));
  EXPECT_EQ(written.at("cond_stage_model.out.weight").size(0), 4);
  const TrainingModel back = imported({file.string()});
  EXPECT_EQ(test::differences(*back.unet, *model_.unet), Names{});
  EXPECT_EQ(test::differences(*back.autoencoder, *model_.autoencoder), Names{});
  EXPECT_EQ(back.description.autoencoder.scaling_factor, 0.25);
  const auto rows = [](const TrainingModel& m) {
    return io::state_dict(*m.latent_encoder).at("quant_conv.weight").narrow(0, 0, 4);
  };
  EXPECT_TRUE(at::allclose(rows(back), rows(model_)));
}

TEST_F(ImportWeights, AnAutoencoderAlone) {
  fs::create_directories(folder_ / "sd-vae");
  const std::string path = write("sd-vae/diffusion_pytorch_model.safetensors",
                                 io::to_diffusers_autoencoder(autoencoder_));
  write_file(folder_ / "sd-vae/config.json", R"({"scaling_factor": 0.5})");
  import_weights({path}, target_);
  EXPECT_EQ(list_folder(target_), std::vector<fs::path>{target_ / "vae"});
  const auto autoencoder = models::make_autoencoder(model_.description.autoencoder);
  io::load_parameters(*autoencoder, io::read_weights(target_ / "vae"), "vae");
  EXPECT_EQ(test::differences(*autoencoder, *model_.autoencoder), Names{});
  expect_contains(read_file(target_ / "vae/config.json"), "\"scaling_factor\": 0.5");
}

TEST_F(ImportWeights, ShiftedLatentsAreRefused) {
  fs::create_directories(folder_ / "vae16");
  write("vae16/model.safetensors", autoencoder_);
  write_file(folder_ / "vae16/config.json", R"({"scaling_factor": 1.5, "shift_factor": 0.06})");
  expect_contains(error({(folder_ / "vae16").string()}), "shift_factor");
}

TEST_F(ImportWeights, ATeacherAlone) {
  const models::VisionTransformerConfig config{
      .name = "small", .width = 64, .depth = 1, .num_heads = 1, .patch_size = 4, .grid = 2};
  const auto teacher = std::make_shared<models::VisionTransformer>(config);
  nn::initialise(*teacher, 5);
  TensorMap tensors = io::state_dict(*teacher);
  tensors["mask_token"] = at::zeros({1, 64});
  const std::string path = write("dino.safetensors", tensors);
  import_weights({path}, target_);
  models::VisionTransformer loaded(config);
  const auto known = io::recognise(io::read_weights(target_), "x");
  io::load_parameters(loaded, known.parts.at(io::WeightPart::kTeacher), "x");
  EXPECT_EQ(test::differences(loaded, *teacher), Names{});
  fs::remove_all(target_);
  expect_contains(error({path, write("kl.safetensors", autoencoder_)}), "folder of its own");
}

TEST_F(ImportWeights, TheUserMayNameTheTeacher) {
  const std::string name = "vit_tiny_patch16_224";
  const models::VisionTransformer teacher(models::vision_transformer_config(name));
  TensorMap tensors;
  for (const auto& [key, tensor] : io::state_dict(teacher)) {
    tensors[key] = at::zeros(tensor.sizes(), at::kHalf);
  }
  const std::string path = write("vit.safetensors", tensors);
  const auto refusal = [&](const std::string& other) {
    return test::message_of<ConfigError>(
        [&] { import_weights({path}, target_, {.teacher = other}); });
  };
  expect_contains(
      refusal("clip_vit_base_patch16_224"),
      str("ImportOptions::teacher: these weights are not clip_vit_base_patch16_224; they can be ",
          name));
  expect_contains(refusal("vit_tiny_patch16_225"), str("did you mean '", name, "'"));
  EXPECT_FALSE(fs::exists(target_));
  import_weights({path}, target_, {.teacher = name});
  expect_contains(read_file(target_ / "config.json"), str("\"name\": \"", name, "\""));
  import_weights({target_.string()}, folder_ / "again");  // the folder says which it is
  expect_contains(read_file(folder_ / "again/config.json"), str("\"name\": \"", name, "\""));
}

TEST_F(ImportWeights, OptionsWithoutUseAreErrors) {
  const models::VisionTransformerConfig config{
      .name = "small", .width = 64, .depth = 1, .num_heads = 1, .patch_size = 4, .grid = 2};
  const auto teacher = std::make_shared<models::VisionTransformer>(config);
  nn::initialise(*teacher, 5);
  const std::string dino = write("dino.safetensors", io::state_dict(*teacher));
  const std::string autoencoder = write("kl.safetensors", autoencoder_);
  const auto refusal = [&](const std::vector<std::string>& paths, const ImportOptions& options) {
    return test::message_of<ConfigError>([&] { import_weights(paths, target_, options); });
  };
  expect_contains(refusal({dino}, {.description = model_.description, .num_heads = 4}),
                  "ImportOptions::description, ImportOptions::num_heads cannot apply: these files "
                  "hold a teacher");
  expect_contains(refusal({dino}, {.prefer_ema = true, .random_seed = 1}),
                  "ImportOptions::prefer_ema, ImportOptions::random_seed cannot apply");
  expect_contains(refusal({dino}, {.teacher = "vit_tiny_patch16_224"}),
                  "no known teacher has their shape");
  expect_contains(refusal({autoencoder}, {.prefer_ema = true, .num_heads = 4}),
                  "ImportOptions::num_heads, ImportOptions::prefer_ema cannot apply: these files "
                  "hold an autoencoder alone");
  expect_contains(refusal({write("both.safetensors", lightning())}, {.teacher = "x"}),
                  "ImportOptions::teacher cannot apply: these files hold no teacher");
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_NO_THROW(import_weights({autoencoder}, target_, {.description = model_.description}));
}

TEST_F(ImportWeights, EveryTensorThatDoesNotFitIsListed) {
  TensorMap unet = unet_;
  for (int i = 0; i < 9; ++i) {
    unet["middle_block.7.extra" + std::to_string(i)] = at::zeros({1});
  }
  unet["out.2.bias"] = at::zeros({3});
  TensorMap autoencoder = autoencoder_;
  autoencoder.erase("decoder.conv_in.bias");
  try {
    import_weights({write("u.safetensors", unet), write("kl.safetensors", autoencoder)}, target_);
    FAIL() << "it should not fit";
  } catch (const io::WeightsMismatch& mismatch) {
    EXPECT_EQ(mismatch.details().size(), 11U);
    for (const char* line :
         {"autoencoder: missing: decoder.conv_in.bias", "unet: unexpected: middle_block.7.extra8",
          "unet: of another shape: out.2.bias: [3] instead of [4]"}) {
      EXPECT_EQ(std::count(mismatch.details().begin(), mismatch.details().end(), line), 1) << line;
    }
    expect_contains(mismatch.what(), "9 unexpected");
  }
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(ImportWeights, NothingIsRandomUnlessAskedFor) {
  const std::string unet = write("u.safetensors", unet_);
  expect_contains(error({unet}), "hold no autoencoder");
  const std::string encoder = write("e.safetensors", latent_encoder_);
  expect_contains(error({encoder, write("kl.safetensors", autoencoder_)}), "hold no unet");
  const ImportOptions random{.random_seed = 7};
  const TrainingModel first = imported({unet, encoder}, random);
  const TrainingModel second = imported({unet, encoder}, random);
  EXPECT_EQ(test::differences(*first.autoencoder, *second.autoencoder), Names{});
  EXPECT_EQ(test::differences(*first.unet, *model_.unet), Names{});
  EXPECT_EQ(test::differences(*first.latent_encoder, *model_.latent_encoder), Names{});
}

TEST_F(ImportWeights, AGivenDescriptionIsWhatTheWeightsHaveToFit) {
  ModelDescription description = model_.description;
  description.unet.num_heads = 2;
  description.scheduler.prediction_type = diffusion::PredictionType::kEpsilon;
  const std::string path = write("model.safetensors", lightning());
  const TrainingModel model = imported({path}, {.description = description});
  EXPECT_EQ(model.description.unet.num_heads, 2);
  EXPECT_EQ(model.description.scheduler.prediction_type, diffusion::PredictionType::kEpsilon);
  description.unet.channel_mult = {1, 1};
  EXPECT_THROW(import_weights({path}, folder_ / "other", {.description = description}),
               io::WeightsMismatch);
}

}  // namespace leaf
