#include "leaf/io/known_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bytes.h"
#include "known_weights.h"
#include "leaf/core/strings.h"
#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"

namespace leaf::io {
namespace {

using test::expect_weights_error;

models::AutoencoderConfig kl_config() {
  return {.ch = 32, .ch_mult = {1, 2, 1}, .num_res_blocks = 1};
}

models::AutoencoderConfig tiny_config() {
  return {.type = models::AutoencoderType::kTiny, .latent_channels = 4};
}

TensorMap autoencoder_weights(const models::AutoencoderConfig& config) {
  const auto autoencoder = models::make_autoencoder(config);
  nn::initialise(*autoencoder, 3);
  return state_dict(*autoencoder);
}

// ---- CompVis, LEAF, SDSeg ----

/// A Lightning checkpoint's state_dict. `image_encoder` is what conditions it.
TensorMap checkpoint(const TensorMap& unet, const TensorMap& image_encoder = {}) {
  return merged({with_prefix(unet, "model.diffusion_model."),
                 with_prefix(autoencoder_weights(kl_config()), "first_stage_model."),
                 with_prefix(image_encoder, "cond_stage_model."),
                 made({{"betas", {10}}, {"first_stage_model.loss.logvar", {1}}}),
                 {{"scale_factor", at::full({}, 0.25)}}});
}

/// As LitEma keeps it: the values are those of the U-Net plus 1.
TensorMap with_ema(TensorMap tensors) {
  for (const auto& [name, tensor] : strip_prefix(tensors, "model.")) {
    std::string dotless = name;
    std::erase(dotless, '.');
    tensors.emplace("model_ema." + dotless, tensor + 1);
  }
  tensors.emplace("model_ema.decay", at::full({}, 0.9999));
  tensors.emplace("model_ema.num_updates", at::full({}, 7, at::kInt));
  return tensors;
}

TensorMap unet_weights() { return weights_of<models::UNet>(test::small_unet()); }

/// SDSeg's image encoder: KL's, and a convolution `out` to the latent.
TensorMap sdseg_encoder(const TensorMap& autoencoder) {
  return merged({with_prefix(strip_prefix(autoencoder, "encoder."), "encoder."),
                 made({{"out.weight", {4, 8, 1, 1}}, {"out.bias", {4}}})});
}

TEST(KnownWeights, CompVisLatentDiffusion) {
  const TensorMap unet = unet_weights();
  const KnownWeights known = recognise(checkpoint(unet), "file");
  EXPECT_EQ(known.format, "CompVis latent diffusion");
  EXPECT_EQ(known.parts.size(), 2U);
  expect_same(known.parts.at(WeightPart::kUNet), unet);
  expect_same(known.parts.at(WeightPart::kAutoencoder), autoencoder_weights(kl_config()));
  EXPECT_EQ(known.unused, (Names{"betas", "first_stage_model.loss.logvar", "scale_factor"}));
  EXPECT_FALSE(known.scaling_factor || known.ema);
}

TEST(KnownWeights, TensorsAreNotCopied) {
  const TensorMap unet = unet_weights();
  const KnownWeights known = recognise(checkpoint(unet), "file");
  for (const auto& [name, tensor] : unet) {
    EXPECT_EQ(known.parts.at(WeightPart::kUNet).at(name).data_ptr(), tensor.data_ptr()) << name;
  }
}

TEST(KnownWeights, TheMovingAverageIsTakenWhenAskedFor) {
  const TensorMap unet = unet_weights();
  const TensorMap tensors = with_ema(checkpoint(unet));
  ASSERT_TRUE(tensors.contains("model_ema.diffusion_modelinput_blocks00weight"));
  const KnownWeights plain = recognise(tensors, "file");
  EXPECT_FALSE(plain.ema);
  expect_same(plain.parts.at(WeightPart::kUNet), unet);
  EXPECT_EQ(plain.unused.size(), 3 + unet.size() + 2);

  const KnownWeights average = recognise(tensors, "file", {.prefer_ema = true});
  EXPECT_TRUE(average.ema);
  EXPECT_EQ(names_of(average.parts.at(WeightPart::kUNet)), names_of(unet));
  for (const auto& [name, tensor] : unet) {
    EXPECT_TRUE(at::equal(average.parts.at(WeightPart::kUNet).at(name), tensor + 1)) << name;
  }
  EXPECT_EQ(average.unused.size(), plain.unused.size());
  const auto unused = [&](const char* name) {
    return std::binary_search(average.unused.begin(), average.unused.end(), name);
  };
  EXPECT_TRUE(unused("model_ema.decay"));
  EXPECT_TRUE(unused("model.diffusion_model.out.2.weight"));
  EXPECT_FALSE(unused("model_ema.diffusion_modelout2weight"));
}

TEST(KnownWeights, WithoutAMovingAverageTheWeightsThemselvesAreTaken) {
  const KnownWeights known = recognise(checkpoint(unet_weights()), "file", {.prefer_ema = true});
  EXPECT_FALSE(known.ema);
}

TEST(KnownWeights, AMovingAverageThatIsIncompleteIsAnError) {
  TensorMap tensors = with_ema(checkpoint(unet_weights()));
  tensors.erase("model_ema.diffusion_modelout2weight");
  expect_weights_error("file", "moving average lacks 'out.2.weight'",
                       [&] { recognise(tensors, "file", {.prefer_ema = true}); });
  EXPECT_NO_THROW(recognise(tensors, "file"));
}

TEST(KnownWeights, SdsegPutsTheMaskFirst) {
  const TensorMap unet = unet_weights();
  const TensorMap encoder = sdseg_encoder(autoencoder_weights(kl_config()));
  const TensorMap tensors = with_ema(checkpoint(unet, encoder));
  for (const bool ema : {false, true}) {
    const KnownWeights known = recognise(tensors, "file", {.prefer_ema = ema});
    EXPECT_EQ(known.format, "SDSeg");
    EXPECT_EQ(known.ema, ema);
    const at::Tensor theirs = unet.at("input_blocks.0.0.weight") + (ema ? 1 : 0);
    const at::Tensor ours = known.parts.at(WeightPart::kUNet).at("input_blocks.0.0.weight");
    ASSERT_EQ(ours.sizes(), theirs.sizes());
    EXPECT_TRUE(at::equal(ours.narrow(1, 0, 4), theirs.narrow(1, 4, 4)));
    EXPECT_TRUE(at::equal(ours.narrow(1, 4, 4), theirs.narrow(1, 0, 4)));
  }
}

TEST(KnownWeights, SdsegImageEncoderGivesTheSameLatent) {
  const TensorMap autoencoder = autoencoder_weights(kl_config());
  const TensorMap encoder = sdseg_encoder(autoencoder);
  const KnownWeights known = recognise(checkpoint(unet_weights(), encoder), "file");
  ASSERT_EQ(known.parts.size(), 3U);
  ASSERT_EQ(known.scaling_factor, 0.25);
  EXPECT_EQ(known.unused, (Names{"betas", "first_stage_model.loss.logvar"}));

  models::AutoencoderConfig config = kl_config();
  config.scaling_factor = *known.scaling_factor;
  models::KlLatentEncoder ours(config, /*dropout=*/0.0);
  load_parameters(ours, known.parts.at(WeightPart::kLatentEncoder), "file");
  models::KlLatentEncoder features(config, /*dropout=*/0.0);  // the identity follows the encoder
  TensorMap identity = strip_prefix(autoencoder, "encoder.");
  identity = with_prefix(identity, "encoder.");
  identity["quant_conv.weight"] = at::eye(8).view({8, 8, 1, 1});
  identity["quant_conv.bias"] = at::zeros({8});
  load_parameters(features, identity, "test");
  nn::freeze(ours);
  nn::freeze(features);

  const at::Tensor image = test::images(1, 16, 16);
  const at::Tensor theirs =
      at::conv2d(features.moments(image), encoder.at("out.weight"), encoder.at("out.bias"));
  EXPECT_LT(test::largest_difference(ours.encode(image), theirs), 1e-4);
  EXPECT_GT(theirs.abs().max().item<double>(), 0.1);
}

TEST(KnownWeights, SdsegWithAScaleThatIsNone) {
  TensorMap tensors = checkpoint(unet_weights(), sdseg_encoder(autoencoder_weights(kl_config())));
  tensors["scale_factor"] = at::zeros({});
  expect_weights_error("file", "scale_factor", [&] { recognise(tensors, "file"); });
  tensors.erase("scale_factor");
  EXPECT_EQ(recognise(tensors, "file").scaling_factor, 1.0);
}

TEST(KnownWeights, NumbersThatCannotBeReadAreAWeightsError) {
  TensorMap tensors = checkpoint(unet_weights(), sdseg_encoder(autoencoder_weights(kl_config())));
  tensors["scale_factor"] = at::empty({}, at::device(at::kMeta));
  expect_weights_error("file", "cannot be converted", [&] { recognise(tensors, "file"); });
}

TEST(KnownWeights, CompVisAutoencoder) {
  const TensorMap autoencoder = autoencoder_weights(kl_config());
  const KnownWeights known =
      recognise(merged({autoencoder,
                        made({{"loss.discriminator.main.0.weight", {3}}, {"loss.logvar", {1}}})}),
                "file");
  expect_same(only_part(known, WeightPart::kAutoencoder, "KL autoencoder (CompVis, LEAF)"),
              autoencoder);
  EXPECT_EQ(known.unused, (Names{"loss.discriminator.main.0.weight", "loss.logvar"}));
}

TEST(KnownWeights, LeafParts) {
  const TensorMap unet = unet_weights();
  expect_same(only_part(recognise(unet, "file"), WeightPart::kUNet, "U-Net (CompVis, LEAF)"), unet);
  const TensorMap kl = weights_of<models::KlLatentEncoder>(kl_config(), 0.2);
  expect_same(only_part(recognise(kl, "file"), WeightPart::kLatentEncoder, "latent encoder (LEAF)"),
              kl);
  const TensorMap tiny = weights_of<models::TinyLatentEncoder>(tiny_config());
  expect_same(
      only_part(recognise(tiny, "file"), WeightPart::kLatentEncoder, "tiny latent encoder (LEAF)"),
      tiny);
}

TEST(KnownWeights, WhatANetworkOfOursCannotHaveIsLeftToLoading) {
  TensorMap unet = unet_weights();
  unet.emplace("label_emb.weight", at::ones({2, 3}));
  EXPECT_TRUE(recognise(unet, "file").parts.at(WeightPart::kUNet).contains("label_emb.weight"));
}

// ---- diffusers ----

TEST(KnownWeights, DiffusersAutoencoderAndBack) {
  const TensorMap ours = autoencoder_weights(kl_config());
  const TensorMap theirs = to_diffusers_autoencoder(ours);
  EXPECT_EQ(theirs.size(), ours.size());
  const auto expect_renamed = [&](const std::string& their_name, const std::string& our_name) {
    ASSERT_TRUE(theirs.contains(their_name)) << their_name;
    EXPECT_TRUE(at::equal(theirs.at(their_name), ours.at(our_name))) << their_name;
  };
  // Names as diffusers' AutoencoderKL has them; three levels.
  expect_renamed("encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
                 "encoder.down.1.block.0.nin_shortcut.weight");
  expect_renamed("encoder.down_blocks.0.downsamplers.0.conv.bias",
                 "encoder.down.0.downsample.conv.bias");
  expect_renamed("encoder.mid_block.resnets.1.norm2.weight", "encoder.mid.block_2.norm2.weight");
  expect_renamed("encoder.mid_block.attentions.0.group_norm.bias", "encoder.mid.attn_1.norm.bias");
  expect_renamed("decoder.up_blocks.0.resnets.1.conv1.weight", "decoder.up.2.block.1.conv1.weight");
  expect_renamed("decoder.up_blocks.0.upsamplers.0.conv.weight",
                 "decoder.up.2.upsample.conv.weight");
  expect_renamed("decoder.up_blocks.2.resnets.0.conv_shortcut.bias",
                 "decoder.up.0.block.0.nin_shortcut.bias");
  expect_renamed("decoder.mid_block.attentions.0.to_out.0.bias",
                 "decoder.mid.attn_1.proj_out.bias");
  expect_renamed("decoder.conv_norm_out.weight", "decoder.norm_out.weight");
  expect_renamed("encoder.conv_in.weight", "encoder.conv_in.weight");
  expect_renamed("post_quant_conv.weight", "post_quant_conv.weight");
  EXPECT_EQ(theirs.at("encoder.mid_block.attentions.0.to_q.weight").dim(), 2);
  EXPECT_EQ(theirs.at("quant_conv.weight").dim(), 4);
  expect_same(
      only_part(recognise(theirs, "file"), WeightPart::kAutoencoder, "AutoencoderKL (diffusers)"),
      ours);
}

TEST(KnownWeights, DiffusersAutoencoderOfOldFiles) {
  const TensorMap ours = autoencoder_weights(kl_config());
  TensorMap theirs = to_diffusers_autoencoder(ours);
  for (const auto& [recent, old] : std::vector<std::pair<std::string, std::string>>{
           {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}}) {
    for (const char* half : {"encoder", "decoder"}) {
      for (const char* kind : {".weight", ".bias"}) {
        const std::string place = leaf::str(half, ".mid_block.attentions.0.");
        auto item = theirs.extract(place + recent + kind);
        ASSERT_FALSE(item.empty()) << recent;
        item.key() = place + old + kind;
        theirs.insert(std::move(item));
      }
    }
  }
  expect_same(recognise(theirs, "file").parts.at(WeightPart::kAutoencoder), ours);
}

TEST(KnownWeights, TinyAutoencoders) {
  const TensorMap ours = autoencoder_weights(tiny_config());
  expect_same(only_part(recognise(ours, "file"), WeightPart::kAutoencoder,
                        "AutoencoderTiny (diffusers, LEAF)"),
              ours);
  EXPECT_EQ(names_of(to_diffusers_autoencoder(ours)), names_of(ours));

  // The decoder's position 0 has no parameters, and none in diffusers.
  TensorMap decoder;
  for (const auto& [name, tensor] : strip_prefix(ours, "decoder.layers.")) {
    const auto dot = name.find('.');
    decoder.emplace(leaf::str(std::stoi(name) + 1, name.substr(dot)), tensor);
  }
  const TensorMap encoder = strip_prefix(ours, "encoder.layers.");
  TensorMap joined =
      only_part(recognise(encoder, "file"), WeightPart::kAutoencoder, "TAESD, encoder half");
  joined.merge(
      only_part(recognise(decoder, "file"), WeightPart::kAutoencoder, "TAESD, decoder half"));
  expect_same(joined, ours);
  const TensorMap whole =
      merged({with_prefix(encoder, "encoder."), with_prefix(decoder, "decoder.")});
  expect_same(only_part(recognise(whole, "file"), WeightPart::kAutoencoder, "TAESD"), ours);
}

// ---- the search ----

TEST(KnownWeights, WrappersAreTakenOff) {
  const TensorMap unet = unet_weights();
  TensorMap file = with_prefix(unet, "state_dict.module.");
  file.emplace("optimizer.state", at::ones({1}));
  const KnownWeights known = recognise(file, "file");
  expect_same(only_part(known, WeightPart::kUNet, "U-Net (CompVis, LEAF)"), unet);
  EXPECT_EQ(known.unused, Names{"optimizer.state"});
}

TEST(KnownWeights, UnknownFilesAreNamedWithWhatIsKnown) {
  const TensorMap file = made({{"layer1.0.conv1.weight", {2}}, {"fc.weight", {2}}});
  expect_weights_error("some/resnet.pth", "2 tensors (fc.weight, layer1.0.conv1.weight)",
                       [&] { recognise(file, "some/resnet.pth"); });
  expect_weights_error("some/resnet.pth", "DINOv2", [&] { recognise(file, "some/resnet.pth"); });
  expect_weights_error("empty.pth", "0 tensors", [] { recognise({}, "empty.pth"); });
}

TEST(KnownWeights, PartsHaveNames) {
  EXPECT_EQ(enum_text(WeightPart::kLatentEncoder), "latent_encoder");
  EXPECT_EQ(parse_enum<WeightPart>("unet", "part"), WeightPart::kUNet);
}

}  // namespace
}  // namespace leaf::io
