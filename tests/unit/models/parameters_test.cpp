// Sizes and checkpoint keys of the networks. The counts are those of the published implementation
// (KL-8, U-Net, projector), of diffusers' AutoencoderTiny and of the files that exist (taef2,
// DINOv2).
#include <gtest/gtest.h>

#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/model.h"
#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "models/feature_projector.h"
#include "models/unet.h"
#include "models/vision_transformer.h"
#include "support/golden.h"
#include "support/small_networks.h"

namespace leaf::models {
namespace {

using test::parameter_count;
using test::Shape;

std::shared_ptr<Autoencoder> make_tiny(std::int64_t latent_channels, TinyVariant variant) {
  return make_autoencoder(
      {.type = AutoencoderType::kTiny, .latent_channels = latent_channels, .variant = variant});
}

void expect_keys(const torch::nn::Module& module, const std::vector<std::string>& present,
                 const std::vector<std::string>& absent) {
  const io::TensorMap state = io::state_dict(module);
  for (const std::string& name : present) {
    EXPECT_TRUE(state.contains(name)) << name;
  }
  for (const std::string& name : absent) {
    EXPECT_FALSE(state.contains(name)) << name;
  }
}

Shape shape_of(const torch::nn::Module& module, const std::string& name) {
  return io::state_dict(module).at(name).sizes().vec();
}

std::map<std::string, Shape> shapes(const io::TensorMap& tensors) {
  std::map<std::string, Shape> found;
  for (const auto& [name, tensor] : tensors) {
    found[name] = tensor.sizes().vec();
  }
  return found;
}

}  // namespace

TEST(Parameters, KlAutoencoder) {
  const auto autoencoder = make_autoencoder(AutoencoderConfig{});
  constexpr std::int64_t kEncoderHalf = 34'163'664;
  constexpr std::int64_t kDecoderHalf = 49'490'199;
  EXPECT_EQ(
      parameter_count(*autoencoder, "encoder.") + parameter_count(*autoencoder, "quant_conv."),
      kEncoderHalf);
  EXPECT_EQ(
      parameter_count(*autoencoder, "decoder.") + parameter_count(*autoencoder, "post_quant_conv."),
      kDecoderHalf);
  EXPECT_EQ(parameter_count(*autoencoder), kEncoderHalf + kDecoderHalf);
  EXPECT_EQ(parameter_count(*std::make_shared<KlLatentEncoder>(AutoencoderConfig{}, 0.2)),
            kEncoderHalf);
  expect_keys(*autoencoder,
              {"encoder.conv_in.weight", "encoder.down.0.block.1.conv2.weight",
               "encoder.down.1.block.0.nin_shortcut.weight",
               "encoder.down.2.downsample.conv.weight", "encoder.mid.attn_1.proj_out.weight",
               "encoder.norm_out.bias", "quant_conv.weight", "post_quant_conv.bias",
               "decoder.mid.block_2.norm1.weight", "decoder.up.3.block.2.norm1.bias",
               "decoder.up.1.upsample.conv.weight", "decoder.conv_out.bias"},
              {"encoder.down.3.downsample.conv.weight", "decoder.up.0.upsample.conv.weight",
               "encoder.down.0.block.0.nin_shortcut.weight", "decoder.up.0.block.3.norm1.weight"});
  EXPECT_EQ(shape_of(*autoencoder, "quant_conv.weight"), (Shape{8, 8, 1, 1}));
}

TEST(Parameters, UNet) {
  const auto unet = std::make_shared<UNet>(UNetConfig{});
  EXPECT_EQ(parameter_count(*unet), 294'973'828);
  expect_keys(*unet,
              {"time_embed.2.bias", "input_blocks.1.1.qkv.weight",
               "input_blocks.3.0.emb_layers.1.weight", "input_blocks.4.0.skip_connection.weight",
               "input_blocks.14.0.out_layers.3.weight", "middle_block.1.proj_out.weight",
               "output_blocks.2.1.in_layers.2.weight", "output_blocks.5.2.in_layers.2.weight",
               "output_blocks.14.1.norm.weight", "out.0.weight", "out.2.weight"},
              {"input_blocks.13.1.qkv.weight", "input_blocks.15.0.in_layers.0.weight",
               "output_blocks.14.2.in_layers.2.weight", "time_embed.1.weight"});
  EXPECT_EQ(shape_of(*unet, "input_blocks.0.0.weight"), (Shape{192, 8, 3, 3}));
  EXPECT_EQ(shape_of(*unet, "input_blocks.1.1.qkv.weight"), (Shape{576, 192, 1}));
  EXPECT_EQ(shape_of(*unet, "out.2.weight"), (Shape{4, 192, 3, 3}));
}

TEST(Parameters, Projector) {
  const auto projector = std::make_shared<FeatureProjector>(192, 2048, 768);
  EXPECT_EQ(parameter_count(*projector), 6'165'248);
  EXPECT_EQ(shape_of(*projector, "4.weight"), (Shape{768, 2048}));
}

TEST(Parameters, TinyAutoencoders) {
  struct Expected {
    std::int64_t latent_channels;
    TinyVariant variant;
    std::int64_t encoder, decoder;
  };
  for (const Expected& expected : {Expected{4, TinyVariant::kTaesd, 1'222'532, 1'222'531},
                                   {16, TinyVariant::kTaesd, 1'229'456, 1'229'443},
                                   {32, TinyVariant::kTaef2, 1'338'528, 1'338'499}}) {
    const auto tiny = make_tiny(expected.latent_channels, expected.variant);
    EXPECT_EQ(parameter_count(*tiny, "encoder."), expected.encoder) << expected.latent_channels;
    EXPECT_EQ(parameter_count(*tiny, "decoder."), expected.decoder) << expected.latent_channels;
  }
}

TEST(Parameters, TinyAutoencoderKeys) {
  const auto taesd = make_tiny(4, TinyVariant::kTaesd);
  expect_keys(
      *taesd,
      {"encoder.layers.0.bias", "encoder.layers.1.conv.4.bias", "encoder.layers.2.weight",
       "encoder.layers.14.bias", "decoder.layers.0.weight", "decoder.layers.2.conv.0.weight",
       "decoder.layers.6.weight", "decoder.layers.17.conv.2.weight", "decoder.layers.18.bias"},
      {"encoder.layers.2.bias", "decoder.layers.6.bias", "encoder.layers.11.pool.0.weight",
       "decoder.layers.19.weight"});
  EXPECT_EQ(shape_of(*taesd, "decoder.layers.18.weight"), (Shape{3, 64, 3, 3}));
  const auto taef2 = make_tiny(32, TinyVariant::kTaef2);
  expect_keys(*taef2,
              {"encoder.layers.11.pool.0.weight", "encoder.layers.13.pool.3.weight",
               "decoder.layers.2.pool.1.bias", "decoder.layers.4.pool.0.weight"},
              {"encoder.layers.9.pool.0.weight", "decoder.layers.7.pool.0.weight",
               "encoder.layers.11.pool.0.bias"});
  EXPECT_EQ(shape_of(*taef2, "encoder.layers.14.weight"), (Shape{32, 64, 3, 3}));
}

TEST(Parameters, VisionTransformers) {
  VisionTransformerConfig config = vision_transformer_config("dinov2_vitb14_reg");
  const auto teacher = std::make_shared<VisionTransformer>(config);
  EXPECT_EQ(parameter_count(*teacher), 86'582'784);  // the file, without its mask token
  expect_keys(*teacher,
              {"cls_token", "register_tokens", "patch_embed.proj.bias", "blocks.11.ls2.gamma",
               "blocks.0.attn.qkv.weight", "blocks.3.mlp.fc2.bias", "norm.weight"},
              {"mask_token", "blocks.12.norm1.weight"});
  EXPECT_EQ(shape_of(*teacher, "pos_embed"), (Shape{1, 1 + 37 * 37, 768}));
  config.grid = 16;  // as resampled for a 256 pixel image
  EXPECT_EQ(parameter_count(*std::make_shared<VisionTransformer>(config)), 85'728'000);
}

TEST(Parameters, SwiGluTransformer) {
  const VisionTransformer teacher({.name = "small",
                                   .width = 24,
                                   .depth = 1,
                                   .num_heads = 3,
                                   .patch_size = 4,
                                   .grid = 4,
                                   .swiglu = true});
  EXPECT_EQ(shape_of(teacher, "blocks.0.mlp.w12.weight"), (Shape{128, 24}));
  EXPECT_EQ(shape_of(teacher, "blocks.0.mlp.w3.weight"), (Shape{24, 64}));
}

TEST(Parameters, NamesAndShapesArePublishedOnes) {
  const auto folder = test::golden_folder("small");
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set";
  }
  const auto published = [&](const char* part) {
    return shapes(
        io::read_safetensors(*folder / "pipeline" / part / "diffusion_pytorch_model.safetensors"));
  };
  const TrainingModel model = make_model(load_description(*folder / "pipeline"));
  EXPECT_EQ(shapes(io::state_dict(*model.unet)), published("unet"));
  EXPECT_EQ(shapes(io::state_dict(*model.autoencoder)), published("vae"));
  EXPECT_EQ(shapes(io::state_dict(*model.latent_encoder)), published("latent_encoder"));
}

}  // namespace leaf::models
