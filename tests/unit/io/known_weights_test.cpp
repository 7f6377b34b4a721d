#include "leaf/io/known_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bytes.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder_kl.h"
#include "leaf/models/autoencoder_tiny.h"
#include "leaf/models/unet.h"
#include "leaf/models/vision_transformer.h"
#include "support/small_networks.h"

namespace leaf::io {
namespace {

using models::VisionTransformerConfig;
using test::expect_weights_error;
using test::Shape;
using Names = std::vector<std::string>;
using Shapes = std::vector<std::pair<std::string, Shape>>;

TensorMap made(const Shapes& shapes) {
  TensorMap tensors;
  for (const auto& [name, shape] : shapes) {
    tensors.emplace(name, test::normal(shape, fnv1a64(name)));
  }
  return tensors;
}

template <typename Network, typename... Arguments>
TensorMap weights_of(const Arguments&... arguments) {
  const auto network = std::make_shared<Network>(arguments...);
  nn::initialise(*network, 3);
  return state_dict(*network);
}

models::AutoencoderConfig kl_config() {
  return {.ch = 32, .ch_mult = {1, 2, 1}, .num_res_blocks = 1};
}

models::AutoencoderConfig tiny_config() {
  return {.type = models::AutoencoderType::kTiny, .latent_channels = 4};
}

TensorMap merged(std::initializer_list<TensorMap> some) {
  TensorMap all;
  for (const TensorMap& tensors : some) {
    all.insert(tensors.begin(), tensors.end());
  }
  return all;
}

Names names_of(const TensorMap& tensors) {
  Names names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
  }
  return names;
}

void expect_same(const TensorMap& actual, const TensorMap& expected) {
  ASSERT_EQ(names_of(actual), names_of(expected));
  for (const auto& [name, tensor] : expected) {
    EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
  }
}

/// The one network that a file holds.
TensorMap only_part(const KnownWeights& known, WeightPart part, const std::string& format) {
  EXPECT_EQ(known.format, format);
  EXPECT_EQ(known.parts.size(), 1U);
  return known.parts.at(part);
}

TensorMap teacher(const TensorMap& tensors, const std::string& format) {
  return only_part(recognise(tensors, "file"), WeightPart::kTeacher, format);
}

void expect_fits(const VisionTransformerConfig& config, const TensorMap& tensors) {
  models::VisionTransformer module(config);
  EXPECT_NO_THROW(load_parameters(module, tensors, "file"));
}

// ---- CompVis, LEAF, SDSeg ----

/// A Lightning checkpoint's state_dict. `image_encoder` is what conditions it.
TensorMap checkpoint(const TensorMap& unet, const TensorMap& image_encoder = {}) {
  return merged({with_prefix(unet, "model.diffusion_model."),
                 with_prefix(weights_of<models::AutoencoderKL>(kl_config()), "first_stage_model."),
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
  expect_same(known.parts.at(WeightPart::kAutoencoder),
              weights_of<models::AutoencoderKL>(kl_config()));
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
  const TensorMap encoder = sdseg_encoder(weights_of<models::AutoencoderKL>(kl_config()));
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
  const TensorMap autoencoder = weights_of<models::AutoencoderKL>(kl_config());
  const TensorMap encoder = sdseg_encoder(autoencoder);
  const KnownWeights known = recognise(checkpoint(unet_weights(), encoder), "file");
  ASSERT_EQ(known.parts.size(), 3U);
  ASSERT_EQ(known.scaling_factor, 0.25);
  EXPECT_EQ(known.unused, (Names{"betas", "first_stage_model.loss.logvar"}));

  models::AutoencoderConfig config = kl_config();
  config.scaling_factor = *known.scaling_factor;
  models::KlLatentEncoder ours(config, /*dropout=*/0.0);
  load_parameters(ours, known.parts.at(WeightPart::kLatentEncoder), "file");
  models::AutoencoderKL features(config);  // the identity follows the encoder
  TensorMap identity = autoencoder;
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
  TensorMap tensors =
      checkpoint(unet_weights(), sdseg_encoder(weights_of<models::AutoencoderKL>(kl_config())));
  tensors["scale_factor"] = at::zeros({});
  expect_weights_error("file", "scale_factor", [&] { recognise(tensors, "file"); });
  tensors.erase("scale_factor");
  EXPECT_EQ(recognise(tensors, "file").scaling_factor, 1.0);
}

TEST(KnownWeights, NumbersThatCannotBeReadAreAWeightsError) {
  TensorMap tensors =
      checkpoint(unet_weights(), sdseg_encoder(weights_of<models::AutoencoderKL>(kl_config())));
  tensors["scale_factor"] = at::empty({}, at::device(at::kMeta));
  expect_weights_error("file", "cannot be converted", [&] { recognise(tensors, "file"); });
}

TEST(KnownWeights, CompVisAutoencoder) {
  const TensorMap autoencoder = weights_of<models::AutoencoderKL>(kl_config());
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
  const TensorMap ours = weights_of<models::AutoencoderKL>(kl_config());
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
  const TensorMap ours = weights_of<models::AutoencoderKL>(kl_config());
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
  const TensorMap ours = weights_of<models::AutoencoderTiny>(tiny_config());
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

// ---- teachers: width 6, one block ----

VisionTransformerConfig small_teacher() {
  return {.name = "small", .width = 6, .depth = 1, .num_heads = 2, .patch_size = 2, .grid = 3};
}

TensorMap teacher_weights(const VisionTransformerConfig& config) {
  return weights_of<models::VisionTransformer>(config);
}

TEST(KnownWeights, Dinov2) {
  VisionTransformerConfig config = small_teacher();
  config.num_registers = 4;
  const TensorMap ours = teacher_weights(config);
  const TensorMap file = merged({ours, made({{"mask_token", {1, 6}}})});
  expect_same(teacher(file, "DINOv2"), ours);
  EXPECT_EQ(recognise(file, "file").unused, Names{"mask_token"});
}

TEST(KnownWeights, Dinov2TrainingCheckpoint) {
  VisionTransformerConfig config = small_teacher();
  config.depth = 3;
  const TensorMap ours = teacher_weights(config);
  TensorMap file;
  for (const auto& [name, tensor] : ours) {
    const bool last = name.starts_with("blocks.2.");  // the second chunk
    const std::string inner =
        name.starts_with("blocks.") ? leaf::str("blocks.", last ? 1 : 0, name.substr(6)) : name;
    file.emplace("teacher.backbone." + inner, tensor);
  }
  file.merge(made({{"teacher.dino_head.mlp.0.weight", {2}}, {"student.backbone.norm.bias", {6}}}));
  expect_same(teacher(file, "DINOv2 (training checkpoint)"), ours);
  EXPECT_EQ(recognise(file, "file").unused,
            (Names{"student.backbone.norm.bias", "teacher.dino_head.mlp.0.weight"}));
}

TEST(KnownWeights, TimmDinov2WithRegisters) {
  VisionTransformerConfig config = small_teacher();
  config.num_registers = 2;
  TensorMap file = teacher_weights(config);
  auto registers = file.extract("register_tokens");
  registers.key() = "reg_token";
  file.insert(std::move(registers));
  const at::Tensor grid = test::normal({1, 9, 6});
  file["pos_embed"] = grid;  // without an entry for the class token
  file.merge(made({{"head.weight", {2, 6}}, {"fc_norm.weight", {6}}}));

  const TensorMap ours = teacher(file, "DINOv2 (timm)");
  expect_fits(config, ours);
  const at::Tensor& positions = ours.at("pos_embed");
  EXPECT_TRUE(at::equal(positions.narrow(1, 1, 9), grid));
  EXPECT_EQ(positions.narrow(1, 0, 1).abs().max().item<double>(), 0.0);
  EXPECT_EQ(recognise(file, "file").unused, (Names{"fc_norm.weight", "head.weight"}));
}

TEST(KnownWeights, TimmGatedNetwork) {
  VisionTransformerConfig config = small_teacher();
  config.swiglu = true;
  const TensorMap ours = teacher_weights(config);
  TensorMap file = ours;
  for (const char* kind : {".weight", ".bias"}) {
    file[leaf::str("blocks.0.mlp.fc1", kind)] =
        file.extract(leaf::str("blocks.0.mlp.w12", kind)).mapped();
    file[leaf::str("blocks.0.mlp.fc2", kind)] =
        file.extract(leaf::str("blocks.0.mlp.w3", kind)).mapped();
  }
  expect_same(teacher(file, "DINOv2"), ours);
}

TEST(KnownWeights, TimmAndMae) {
  VisionTransformerConfig config = small_teacher();
  config.layer_scale = false;
  const TensorMap ours = teacher_weights(config);
  expect_same(teacher(merged({ours, made({{"head.weight", {2, 6}}})}), "vision transformer (timm)"),
              ours);
  TensorMap mae = merged({ours, made({{"decoder_embed.weight", {4, 6}},
                                      {"decoder_blocks.0.norm1.weight", {4}},
                                      {"decoder_pos_embed", {1, 10, 4}},
                                      {"mask_token", {1, 1, 4}}})});
  expect_same(teacher(mae, "MAE"), ours);
  const KnownWeights wrapped = recognise(with_prefix(mae, "model."), "file");
  expect_same(wrapped.parts.at(WeightPart::kTeacher), ours);
  EXPECT_EQ(wrapped.unused,
            (Names{"model.decoder_blocks.0.norm1.weight", "model.decoder_embed.weight",
                   "model.decoder_pos_embed", "model.mask_token"}));
}

/// Dinov2Model's names; the attention and the network inside a block are apart.
Shapes hugging_face_shapes() {
  const std::string block = "encoder.layer.0.";
  return {{"embeddings.cls_token", {1, 1, 6}},
          {"embeddings.mask_token", {1, 6}},
          {"embeddings.position_embeddings", {1, 10, 6}},
          {"embeddings.patch_embeddings.projection.weight", {6, 3, 2, 2}},
          {"embeddings.patch_embeddings.projection.bias", {6}},
          {block + "norm1.weight", {6}},
          {block + "norm1.bias", {6}},
          {block + "layer_scale1.lambda1", {6}},
          {block + "norm2.weight", {6}},
          {block + "norm2.bias", {6}},
          {block + "layer_scale2.lambda1", {6}},
          {"layernorm.weight", {6}},
          {"layernorm.bias", {6}}};
}

/// `name.weight` [out, in] and `name.bias`.
TensorMap linear(const std::string& name, std::int64_t out, std::int64_t in) {
  return made({{name + ".weight", {out, in}}, {name + ".bias", {out}}});
}

void expect_rows(const at::Tensor& joined, const std::vector<at::Tensor>& parts) {
  EXPECT_TRUE(at::equal(joined, at::cat(parts, 0)));
}

TEST(KnownWeights, HuggingFaceDinov2) {
  const std::string attention = "encoder.layer.0.attention.";
  const TensorMap file =
      merged({made(hugging_face_shapes()), linear(attention + "attention.query", 6, 6),
              linear(attention + "attention.key", 6, 6),
              linear(attention + "attention.value", 6, 6), linear(attention + "output.dense", 6, 6),
              linear("encoder.layer.0.mlp.fc1", 24, 6), linear("encoder.layer.0.mlp.fc2", 6, 24)});
  const TensorMap ours = teacher(file, "DINOv2 (Hugging Face)");
  expect_fits(small_teacher(), ours);
  for (const char* kind : {".weight", ".bias"}) {
    expect_rows(ours.at(leaf::str("blocks.0.attn.qkv", kind)),
                {file.at(leaf::str(attention, "attention.query", kind)),
                 file.at(leaf::str(attention, "attention.key", kind)),
                 file.at(leaf::str(attention, "attention.value", kind))});
  }
  EXPECT_TRUE(
      at::equal(ours.at("blocks.0.attn.proj.weight"), file.at(attention + "output.dense.weight")));
  EXPECT_TRUE(
      at::equal(ours.at("blocks.0.ls2.gamma"), file.at("encoder.layer.0.layer_scale2.lambda1")));

  VisionTransformerConfig config = small_teacher();
  config.num_registers = 4;
  const KnownWeights classifier =
      recognise(merged({with_prefix(file, "dinov2_with_registers."),
                        made({{"dinov2_with_registers.embeddings.register_tokens", {1, 4, 6}},
                              {"classifier.weight", {2, 12}}})}),
                "file");
  expect_fits(config, classifier.parts.at(WeightPart::kTeacher));
  EXPECT_EQ(classifier.unused,
            (Names{"classifier.weight", "dinov2_with_registers.embeddings.mask_token"}));
}

TEST(KnownWeights, HuggingFaceGatedNetworkInBothSpellings) {
  VisionTransformerConfig config = small_teacher();
  config.swiglu = true;  // 16 = 24 * 2 / 3 gated features
  const std::string block = "encoder.layer.0.";
  TensorMap file =
      merged({made(hugging_face_shapes()), linear(block + "attention.attention.query", 6, 6),
              linear(block + "attention.attention.key", 6, 6),
              linear(block + "attention.attention.value", 6, 6),
              linear(block + "attention.output.dense", 6, 6),
              linear(block + "mlp.weights_in", 32, 6), linear(block + "mlp.weights_out", 6, 16)});
  const TensorMap saved = teacher(file, "DINOv2 (Hugging Face)");
  expect_fits(config, saved);

  const auto rename = [&](const std::string& from, const std::string& to) {
    for (const char* kind : {".weight", ".bias"}) {
      file[block + to + kind] = file.extract(block + from + kind).mapped();
    }
  };
  rename("attention.attention.query", "attention.q_proj");
  rename("attention.attention.key", "attention.k_proj");
  rename("attention.attention.value", "attention.v_proj");
  rename("attention.output.dense", "attention.o_proj");
  rename("mlp.weights_out", "mlp.down_proj");
  for (const char* kind : {".weight", ".bias"}) {
    const at::Tensor both = file.extract(block + "mlp.weights_in" + kind).mapped();
    file[block + "mlp.gate_proj" + kind] = both.narrow(0, 0, 16);
    file[block + "mlp.up_proj" + kind] = both.narrow(0, 16, 16);
  }
  expect_same(teacher(file, "DINOv2 (Hugging Face)"), saved);
}

Names clip_names() {
  return {"blocks.0.attn.proj.bias",
          "blocks.0.attn.proj.weight",
          "blocks.0.attn.qkv.bias",
          "blocks.0.attn.qkv.weight",
          "blocks.0.mlp.fc1.bias",
          "blocks.0.mlp.fc1.weight",
          "blocks.0.mlp.fc2.bias",
          "blocks.0.mlp.fc2.weight",
          "blocks.0.norm1.bias",
          "blocks.0.norm1.weight",
          "blocks.0.norm2.bias",
          "blocks.0.norm2.weight",
          "cls_token",
          "norm.bias",
          "norm.weight",
          "norm_pre.bias",
          "norm_pre.weight",
          "patch_embed.proj.weight",
          "pos_embed"};
}

void expect_clip(const TensorMap& ours) {
  EXPECT_EQ(names_of(ours), clip_names());
  EXPECT_EQ(ours.at("cls_token").sizes().vec(), (Shape{1, 1, 6}));
  EXPECT_EQ(ours.at("pos_embed").sizes().vec(), (Shape{1, 10, 6}));
  EXPECT_EQ(ours.at("blocks.0.attn.qkv.weight").sizes().vec(), (Shape{18, 6}));
}

TEST(KnownWeights, HuggingFaceClip) {
  const std::string block = "encoder.layers.0.";
  const TensorMap tower =
      merged({made({{"embeddings.class_embedding", {6}},
                    {"embeddings.patch_embedding.weight", {6, 3, 2, 2}},
                    {"embeddings.position_embedding.weight", {10, 6}},
                    {"pre_layrnorm.weight", {6}},
                    {"pre_layrnorm.bias", {6}},
                    {block + "layer_norm1.weight", {6}},
                    {block + "layer_norm1.bias", {6}},
                    {block + "layer_norm2.weight", {6}},
                    {block + "layer_norm2.bias", {6}},
                    {"post_layernorm.weight", {6}},
                    {"post_layernorm.bias", {6}}}),
              linear(block + "self_attn.q_proj", 6, 6), linear(block + "self_attn.k_proj", 6, 6),
              linear(block + "self_attn.v_proj", 6, 6), linear(block + "self_attn.out_proj", 6, 6),
              linear(block + "mlp.fc1", 24, 6), linear(block + "mlp.fc2", 6, 24)});
  const TensorMap ours = teacher(tower, "CLIP (Hugging Face)");
  expect_clip(ours);
  expect_rows(ours.at("blocks.0.attn.qkv.weight"), {tower.at(block + "self_attn.q_proj.weight"),
                                                    tower.at(block + "self_attn.k_proj.weight"),
                                                    tower.at(block + "self_attn.v_proj.weight")});

  const KnownWeights both =
      recognise(merged({with_prefix(tower, "vision_model."),
                        made({{"text_model.final_layer_norm.weight", {6}},
                              {"logit_scale", {}},
                              {"visual_projection.weight", {4, 6}},
                              {"vision_model.embeddings.position_ids", {1, 10}}})}),
                "file");
  expect_same(only_part(both, WeightPart::kTeacher, "CLIP (Hugging Face)"), ours);
  EXPECT_EQ(both.unused,
            (Names{"logit_scale", "text_model.final_layer_norm.weight",
                   "vision_model.embeddings.position_ids", "visual_projection.weight"}));
}

TEST(KnownWeights, OpenClip) {
  const std::string block = "transformer.resblocks.0.";
  const TensorMap tower =
      merged({made({{"class_embedding", {6}},
                    {"positional_embedding", {10, 6}},
                    {"proj", {6, 4}},
                    {"conv1.weight", {6, 3, 2, 2}},
                    {"ln_pre.weight", {6}},
                    {"ln_pre.bias", {6}},
                    {block + "ln_1.weight", {6}},
                    {block + "ln_1.bias", {6}},
                    {block + "attn.in_proj_weight", {18, 6}},
                    {block + "attn.in_proj_bias", {18}},
                    {block + "ln_2.weight", {6}},
                    {block + "ln_2.bias", {6}},
                    {"ln_post.weight", {6}},
                    {"ln_post.bias", {6}}}),
              linear(block + "attn.out_proj", 6, 6), linear(block + "mlp.c_fc", 24, 6),
              linear(block + "mlp.c_proj", 6, 24)});
  // The text tower's blocks have the same names without "visual.".
  const TensorMap file =
      merged({with_prefix(tower, "visual."), made({{block + "ln_1.weight", {4}},
                                                   {block + "attn.in_proj_weight", {12, 4}},
                                                   {"positional_embedding", {77, 4}},
                                                   {"logit_scale", {}}})});
  const KnownWeights known = recognise(file, "file");
  const TensorMap ours = only_part(known, WeightPart::kTeacher, "CLIP (OpenAI, open_clip)");
  expect_clip(ours);
  EXPECT_TRUE(at::equal(ours.at("cls_token").view({6}), tower.at("class_embedding")));
  EXPECT_EQ(known.unused, (Names{"logit_scale", "positional_embedding",
                                 "transformer.resblocks.0.attn.in_proj_weight",
                                 "transformer.resblocks.0.ln_1.weight", "visual.proj"}));
  expect_same(teacher(tower, "CLIP (OpenAI, open_clip)"), ours);
  expect_same(teacher(with_prefix(file, "module."), "CLIP (OpenAI, open_clip)"), ours);
  expect_same(teacher(ours, "CLIP (timm)"), ours);
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
