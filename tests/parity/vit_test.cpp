// Vision transformers against tokens that timm computed (tests/parity/make_vit_fixtures.py).
#include <gtest/gtest.h>

#include <filesystem>

#include "leaf/io/name_maps.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/models/vision_transformer.h"
#include "support/golden.h"

namespace leaf::models {
namespace {

constexpr double kTolerance = 1e-5;

VisionTransformerConfig small_config() {
  return {.name = "small",
          .width = 24,
          .depth = 2,
          .num_heads = 3,
          .patch_size = 4,
          .grid = 4,
          .layer_scale = false};
}

void expect_parity(const VisionTransformerConfig& config, const std::string& file) {
  const auto path = std::filesystem::path(LEAF_FIXTURES) / "vit" / file;
  const io::TensorMap fixture = io::read_safetensors(path);
  const auto transformer = std::make_shared<VisionTransformer>(config);
  io::load_parameters(*transformer,
                      io::vision_transformer_names(io::strip_prefix(fixture, "weights.")), file);
  nn::freeze(*transformer);
  const at::Tensor tokens = transformer->forward(fixture.at("images"));
  ASSERT_EQ(tokens.sizes(), fixture.at("tokens").sizes());
  const double error = test::relative_error(tokens, fixture.at("tokens"));
  EXPECT_LE(error, kTolerance);
  std::cout << "  " << file << "  relative error " << error << "\n";
}

}  // namespace

TEST(VitParity, PlainAtAnotherSize) { expect_parity(small_config(), "timm.safetensors"); }

TEST(VitParity, LayerScaleAndRegisters) {
  VisionTransformerConfig config = small_config();
  config.layer_scale = true;
  config.num_registers = 2;
  expect_parity(config, "dinov2_reg.safetensors");
}

TEST(VitParity, SwiGlu) {
  VisionTransformerConfig config = small_config();
  config.layer_scale = true;
  config.num_registers = 2;
  config.swiglu = true;
  expect_parity(config, "dinov2_swiglu.safetensors");
}

}  // namespace leaf::models
