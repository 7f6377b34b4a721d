#include "pipeline/weights/describe_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/io/weights.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "models/vision_transformer.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf {
namespace {

io::TensorMap autoencoder_tensors(const models::AutoencoderConfig& config) {
  return io::state_dict(*models::make_autoencoder(config));
}

void expect_described(const models::AutoencoderConfig& config) {
  const auto found = describe_autoencoder(autoencoder_tensors(config), "x");
  EXPECT_EQ(found.type, config.type);
  EXPECT_EQ(found.variant, config.variant);
  EXPECT_EQ(found.latent_channels, config.latent_channels);
  if (config.type == models::AutoencoderType::kKl) {
    EXPECT_EQ(found.ch, config.ch);
    EXPECT_EQ(found.ch_mult, config.ch_mult);
    EXPECT_EQ(found.num_res_blocks, config.num_res_blocks);
  }
}

void expect_described(const models::UNetConfig& config) {
  const auto found = describe_unet(io::state_dict(models::UNet(config)), "x");
  EXPECT_EQ(found.in_channels, config.in_channels);
  EXPECT_EQ(found.out_channels, config.out_channels);
  EXPECT_EQ(found.model_channels, config.model_channels);
  EXPECT_EQ(found.channel_mult, config.channel_mult);
  EXPECT_EQ(found.num_res_blocks, config.num_res_blocks);
  EXPECT_EQ(found.attention_resolutions, config.attention_resolutions);
}

std::string unet_error(const io::TensorMap& tensors) {
  return test::message_of<WeightsError>([&] { describe_unet(tensors, "some/file"); });
}

}  // namespace

TEST(DescribeWeights, KlAutoencoders) {
  expect_described(test::small_kl());
  expect_described(models::AutoencoderConfig{.latent_channels = 8, .ch = 32, .ch_mult = {1, 2, 3}});
}

TEST(DescribeWeights, TheEncoderAloneWillDo) {
  const auto config = test::small_kl();
  const auto encoder = models::make_latent_encoder(config, 0.0);
  EXPECT_EQ(describe_autoencoder(io::state_dict(*encoder), "x").ch_mult, config.ch_mult);
}

TEST(DescribeWeights, TinyAutoencoders) {
  for (const auto variant : {models::TinyVariant::kTaesd, models::TinyVariant::kTaef2}) {
    expect_described(models::AutoencoderConfig{
        .type = models::AutoencoderType::kTiny, .latent_channels = 6, .variant = variant});
  }
}

TEST(DescribeWeights, UNets) {
  expect_described(test::small_unet());
  expect_described(models::UNetConfig{.in_channels = 4,
                                      .out_channels = 3,
                                      .model_channels = 32,
                                      .channel_mult = {1},
                                      .num_res_blocks = 2,
                                      .attention_resolutions = {},
                                      .num_heads = 4});
  expect_described(models::UNetConfig{.model_channels = 32,
                                      .channel_mult = {1, 2, 1, 3},
                                      .num_res_blocks = 3,
                                      .attention_resolutions = {2, 8},
                                      .num_heads = 4});
}

TEST(DescribeWeights, OtherUNetsAreRefusedByName) {
  io::TensorMap tensors = io::state_dict(models::UNet(test::small_unet()));
  const at::Tensor one = at::ones({1});
  tensors["input_blocks.2.0.op.weight"] = one;
  EXPECT_NE(unet_error(tensors).find("plain convolutions"), std::string::npos);
  tensors["input_blocks.1.1.transformer_blocks.0.norm1.weight"] = one;
  EXPECT_NE(unet_error(tensors).find("cross attention"), std::string::npos);
}

TEST(DescribeWeights, WhatIsLackingIsNamed) {
  EXPECT_EQ(unet_error({}),
            "cannot tell the network from 'some/file': it lacks 'input_blocks.0.0.weight'");
  io::TensorMap tensors = io::state_dict(models::UNet(test::small_unet()));
  tensors["out.2.weight"] = at::ones({});
  EXPECT_NE(unet_error(tensors).find("'out.2.weight' has the shape []"), std::string::npos);
  tensors = io::state_dict(models::UNet(test::small_unet()));
  tensors["input_blocks.4.0.in_layers.2.weight"] = at::ones({32, 32, 3, 3});
  EXPECT_NE(unet_error(tensors).find("5 input blocks"), std::string::npos);
}

TEST(DescribeWeights, VisionTransformers) {
  models::VisionTransformerConfig config{.name = "small",
                                         .width = 128,
                                         .depth = 2,
                                         .num_heads = 2,
                                         .patch_size = 4,
                                         .grid = 3,
                                         .num_registers = 2,
                                         .swiglu = true};
  const auto found =
      describe_vision_transformer(io::state_dict(models::VisionTransformer(config)), "x");
  EXPECT_EQ(found.width, 128);
  EXPECT_EQ(found.depth, 2);
  EXPECT_EQ(found.num_heads, 2);
  EXPECT_EQ(found.patch_size, 4);
  EXPECT_EQ(found.grid, 3);
  EXPECT_EQ(found.num_registers, 2);
  EXPECT_TRUE(found.layer_scale);
  EXPECT_TRUE(found.swiglu);
  EXPECT_TRUE(teachers_of_shape(found).empty());
}

TEST(DescribeWeights, TeachersOfAShape) {
  const auto teachers = [](const std::string& name) {
    return teachers_of_shape(models::vision_transformer_config(name));
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(teachers("dinov2_vitb14_reg"), Names{"dinov2_vitb14_reg"});
  EXPECT_EQ(teachers("vit_base_patch16_224"),
            (Names{"vit_base_patch16_224", "mae_vit_base_patch16_224"}));
  EXPECT_EQ(teachers("clip_vit_base_patch16_224"),
            (Names{"clip_vit_base_patch16_224", "open_clip_vit_base_patch16_224"}));
}

}  // namespace leaf
