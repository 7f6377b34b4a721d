// The teachers among the formats that io::recognise knows.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "known_weights.h"
#include "models/vision_transformer.h"

namespace leaf::io {
namespace {

using models::VisionTransformerConfig;

TensorMap teacher(const TensorMap& tensors, const std::string& format) {
  return only_part(recognise(tensors, "file"), WeightPart::kTeacher, format);
}

void expect_fits(const VisionTransformerConfig& config, const TensorMap& tensors) {
  models::VisionTransformer module(config);
  EXPECT_NO_THROW(load_parameters(module, tensors, "file"));
}

// ---- teachers: width 6, one block ----

VisionTransformerConfig small_teacher() {
  return {.name = "small", .width = 6, .depth = 1, .num_heads = 2, .patch_size = 2, .grid = 3};
}

TensorMap teacher_weights(const VisionTransformerConfig& config) {
  return weights_of<models::VisionTransformer>(config);
}

TEST(KnownTeachers, Dinov2) {
  VisionTransformerConfig config = small_teacher();
  config.num_registers = 4;
  const TensorMap ours = teacher_weights(config);
  const TensorMap file = merged({ours, made({{"mask_token", {1, 6}}})});
  expect_same(teacher(file, "DINOv2"), ours);
  EXPECT_EQ(recognise(file, "file").unused, Names{"mask_token"});
}

TEST(KnownTeachers, Dinov2TrainingCheckpoint) {
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

TEST(KnownTeachers, TimmDinov2WithRegisters) {
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

TEST(KnownTeachers, TimmGatedNetwork) {
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

TEST(KnownTeachers, TimmAndMae) {
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

TEST(KnownTeachers, HuggingFaceDinov2) {
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

TEST(KnownTeachers, HuggingFaceGatedNetworkInBothSpellings) {
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

TEST(KnownTeachers, HuggingFaceClip) {
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

TEST(KnownTeachers, OpenClip) {
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

}  // namespace
}  // namespace leaf::io
