#include "leaf/models/vision_transformer.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/io/name_maps.h"
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

std::shared_ptr<VisionTransformer> small_teacher() {
  auto teacher = std::make_shared<VisionTransformer>(VisionTransformerConfig{.name = "small",
                                                                             .width = 48,
                                                                             .depth = 1,
                                                                             .num_heads = 3,
                                                                             .patch_size = 4,
                                                                             .grid = 4,
                                                                             .num_registers = 2});
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
    const at::Tensor tokens = teacher_tokens(*teacher, images, side);
    EXPECT_EQ(tokens.sizes().vec(), (Shape{3, side * side, 48}));
    EXPECT_TRUE(at::isfinite(tokens).all().item<bool>());
  }
}

TEST(TeacherTokens, NormaliseTheImage) {
  const auto teacher = small_teacher();
  const at::Tensor images = test::images(2, 16, 16);  // 4 patches of 4 pixels: nothing to resize
  const at::Tensor normalised =
      (images - channel_values({0.485, 0.456, 0.406})) / channel_values({0.229, 0.224, 0.225});
  EXPECT_LT(largest_difference(teacher_tokens(*teacher, images, 4), teacher->forward(normalised)),
            1e-5);
}

TEST(TeacherTokens, AreIndependentOfTheBatch) {
  const auto teacher = small_teacher();
  const at::Tensor images = test::images(3, 24, 24);
  const at::Tensor all = teacher_tokens(*teacher, images, 4);
  const at::Tensor last = teacher_tokens(*teacher, images.narrow(0, 2, 1), 4);
  EXPECT_LT(largest_difference(all.narrow(0, 2, 1), last), 1e-5);
  EXPECT_GT(largest_difference(all.narrow(0, 0, 1), last), 1e-3);
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
  io::load_parameters(*teacher, io::vision_transformer_names(io::read_weights(path)),
                      path.string());
  nn::freeze(*teacher);
  const at::Tensor tokens = teacher_tokens(*teacher, test::images(1, 64, 64), 4);
  EXPECT_EQ(tokens.sizes().vec(), (Shape{1, 16, 192}));
  EXPECT_TRUE(at::isfinite(tokens).all().item<bool>());
  EXPECT_GT(tokens.std().item<double>(), 0.1);
}

}  // namespace leaf::models
