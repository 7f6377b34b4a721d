#include "models/vision_transformer.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "support/data_folder.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf::models {
namespace {

using test::largest_difference;
using test::normal;
using test::Shape;
using RealVisionTransformer = test::DataFolderTest;

VisionTransformerConfig small_config() {
  return {.name = "small",
          .width = 48,
          .depth = 1,
          .num_heads = 3,
          .patch_size = 4,
          .grid = 4,
          .num_registers = 2};
}

std::shared_ptr<VisionTransformer> small_teacher(
    const VisionTransformerConfig& config = small_config()) {
  auto teacher = std::make_shared<VisionTransformer>(config);
  nn::initialise(*teacher, 1);
  nn::freeze(*teacher);
  return teacher;
}

at::Tensor channel_values(const std::array<double, 3>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kFloat).view({1, 3, 1, 1});
}

}  // namespace

TEST(PositionEmbedding, StaysAsItIsAtItsOwnGrid) {
  const at::Tensor embedding = normal({1, 17, 8});
  EXPECT_TRUE(at::equal(resample_position_embedding(embedding, 4, 4), embedding));
}

TEST(PositionEmbedding, ResamplesTheGridAlone) {
  const at::Tensor embedding = normal({1, 17, 8});
  const at::Tensor resampled = resample_position_embedding(embedding, 3, 5);
  ASSERT_EQ(resampled.sizes().vec(), (Shape{1, 16, 8}));
  EXPECT_TRUE(at::equal(resampled.select(1, 0), embedding.select(1, 0)));

  const at::Tensor flat = at::cat({at::zeros({1, 1, 8}), at::full({1, 16, 8}, 3.0)}, 1);
  const at::Tensor grid = resample_position_embedding(flat, 3, 5).narrow(1, 1, 15);
  EXPECT_LT(largest_difference(grid, at::full({1, 15, 8}, 3.0)), 1e-5);
}

TEST(PositionEmbedding, KeepsRowsAndColumnsApart) {
  // The value is the row: columns stay equal, rows keep their order.
  const at::Tensor rows = at::arange(4, at::kFloat).view({4, 1}).expand({4, 4}).reshape({1, 16, 1});
  const at::Tensor embedding = at::cat({at::zeros({1, 1, 1}), rows}, 1);
  const at::Tensor grid =
      resample_position_embedding(embedding, 6, 3).narrow(1, 1, 18).reshape({6, 3});
  EXPECT_LT(largest_difference(grid.select(1, 0), grid.select(1, 2)), 1e-5);
  EXPECT_TRUE((grid.narrow(0, 1, 5) > grid.narrow(0, 0, 5)).all().item<bool>());
}

TEST(TeacherTokens, HaveTheGridThatWasAskedFor) {
  const auto teacher = small_teacher();
  const at::Tensor images = test::images(3, 32, 32);
  for (const std::int64_t side : {4, 5}) {
    const at::Tensor tokens = teacher->tokens(images, side);
    EXPECT_EQ(tokens.sizes().vec(), (Shape{3, side * side, 48}));
    EXPECT_TRUE(at::isfinite(tokens).all().item<bool>());
  }
}

TEST(TeacherTokens, NormaliseTheImage) {
  const auto teacher = small_teacher();
  const at::Tensor images = test::images(2, 16, 16);  // 4 patches of 4 pixels: nothing to resize
  const at::Tensor normalised =
      (images - channel_values({0.485, 0.456, 0.406})) / channel_values({0.229, 0.224, 0.225});
  EXPECT_LT(largest_difference(teacher->tokens(images, 4), teacher->forward(normalised)), 1e-5);
}

TEST(TeacherTokens, AreIndependentOfTheBatch) {
  const auto teacher = small_teacher();
  const at::Tensor images = test::images(3, 24, 24);
  const at::Tensor all = teacher->tokens(images, 4);
  const at::Tensor last = teacher->tokens(images.narrow(0, 2, 1), 4);
  EXPECT_LT(largest_difference(all.narrow(0, 2, 1), last), 1e-5);
  EXPECT_GT(largest_difference(all.narrow(0, 0, 1), last), 1e-3);
}

TEST(VisionTransformer, NormBeforeTheBlocks) {
  // The norm takes back what scales all tokens alike; the residual stream keeps it without.
  VisionTransformerConfig config = small_config();
  config.norm_pre = true;
  const auto teacher = small_teacher(config);
  const auto names = teacher->named_parameters();
  EXPECT_TRUE(names.contains("norm_pre.weight"));
  EXPECT_FALSE(names.contains("patch_embed.proj.bias"));
  const at::Tensor images = test::images(1, 16, 16);
  const at::Tensor tokens = teacher->forward(images);
  for (const char* name :
       {"patch_embed.proj.weight", "pos_embed", "cls_token", "register_tokens"}) {
    at::Tensor parameter = names[name];
    parameter.mul_(10);
  }
  EXPECT_LT(largest_difference(teacher->forward(images), tokens), 1e-3);
}

TEST(VisionTransformer, QuickGelu) {
  VisionTransformerConfig config = small_config();
  const at::Tensor images = test::images(1, 16, 16);
  const at::Tensor exact = small_teacher(config)->forward(images);
  config.quick_gelu = true;
  const double difference = largest_difference(small_teacher(config)->forward(images), exact);
  EXPECT_GT(difference, 1e-5);
  EXPECT_LT(difference, 0.1);
}

TEST(VisionTransformerConfig, KnowsItsNames) {
  for (const std::string& name : vision_transformer_names()) {
    EXPECT_EQ(vision_transformer_config(name).name, name);
  }
  const VisionTransformerConfig base = vision_transformer_config("dinov2_vitb14_reg");
  EXPECT_EQ(base.num_registers, 4);
  EXPECT_EQ(base.width, 768);
  EXPECT_FALSE(base.swiglu);
  EXPECT_TRUE(vision_transformer_config("dinov2_vitg14").swiglu);
  EXPECT_EQ(vision_transformer_config("dinov2_vits14").num_registers, 0);
  EXPECT_FALSE(vision_transformer_config("vit_tiny_patch16_224").layer_scale);
}

TEST(VisionTransformerConfig, ClipTowers) {
  const VisionTransformerConfig openai = vision_transformer_config("clip_vit_base_patch16_224");
  EXPECT_EQ(test::parameter_count(VisionTransformer(openai)), 85'799'424);  // CLIPVisionModel's
  EXPECT_TRUE(openai.quick_gelu);
  EXPECT_DOUBLE_EQ(openai.norm_eps, 1e-5);
  EXPECT_DOUBLE_EQ(openai.mean[0], 0.48145466);
  EXPECT_EQ(vision_transformer_config("clip_vit_base_patch32_224").grid, 7);
  const auto large = vision_transformer_config("open_clip_vit_large_patch14_224");
  EXPECT_FALSE(large.quick_gelu);
  EXPECT_TRUE(large.norm_pre);
  EXPECT_EQ(large.grid, 16);
  EXPECT_DOUBLE_EQ(large.mean[0], 0.5);
}

TEST(VisionTransformerConfig, MaskedAutoencoders) {
  const VisionTransformerConfig base = vision_transformer_config("mae_vit_base_patch16_224");
  EXPECT_EQ(test::parameter_count(VisionTransformer(base)), 85'798'656);
  EXPECT_DOUBLE_EQ(base.mean[0], 0.485);
  EXPECT_DOUBLE_EQ(base.norm_eps, 1e-6);
  EXPECT_EQ(vision_transformer_config("mae_vit_huge_patch14_224").depth, 32);
}

TEST(VisionTransformerConfig, SuggestsTheNearestName) {
  const auto message =
      test::message_of<ConfigError>([] { vision_transformer_config("dinov2_vitb14_regs"); });
  EXPECT_NE(message.find("'dinov2_vitb14_regs'"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'dinov2_vitb14_reg'?"), std::string::npos) << message;
  EXPECT_NE(message.find("vit_tiny_patch16_224"), std::string::npos) << message;
}

TEST_F(RealVisionTransformer, IsRead) {
  const auto path = folder_ / "weights/vit_tiny_patch16_224.fp16.safetensors";
  const auto teacher =
      std::make_shared<VisionTransformer>(vision_transformer_config("vit_tiny_patch16_224"));
  io::load_parameters(
      *teacher,
      io::recognise(io::read_weights(path), path.string()).parts.at(io::WeightPart::kTeacher),
      path.string());
  nn::freeze(*teacher);
  const at::Tensor tokens = teacher->tokens(test::images(1, 64, 64), 4);
  EXPECT_EQ(tokens.sizes().vec(), (Shape{1, 16, 192}));
  EXPECT_TRUE(at::isfinite(tokens).all().item<bool>());
  EXPECT_GT(tokens.std().item<double>(), 0.1);
}

TEST(Teachers, AreATableByName) {
  const auto teacher = make_teacher("vit_tiny_patch16_224");
  EXPECT_EQ(teacher->width(), 192);
  for (const TeacherFamily& family : all_teachers()) {
    EXPECT_FALSE(family.names.empty());
  }
  const auto message = test::message_of<ConfigError>([] { make_teacher("vit_tiny_patch16_225"); });
  EXPECT_NE(message.find("did you mean 'vit_tiny_patch16_224'"), std::string::npos) << message;
}

}  // namespace leaf::models
