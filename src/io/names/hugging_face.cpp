#include <string>
#include <vector>

// Hugging Face's Dinov2Model, Dinov2WithRegistersModel and ViTModel (MAE among them), as saved and
// as in memory since Transformers 5.
#include "format.h"

namespace leaf::io::names {
namespace {

std::vector<Rule> rules() {
  const std::string theirs = "encoder.layer.{i}.";
  const std::string ours = "blocks.{i}.";
  return {
      {"embeddings.mask_token", ""},
      {"pooler.*", ""},
      {"embeddings.cls_token", "cls_token"},
      {"embeddings.register_tokens", "register_tokens"},
      {"embeddings.position_embeddings", "pos_embed"},
      {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
      {"layernorm.*", "norm.*"},
      {theirs + "norm1.*", ours + "norm1.*"},
      {theirs + "norm2.*", ours + "norm2.*"},
      {theirs + "attention.attention.query.*", ours + "attn.qkv.*", Shape::kSame, 0, 3},
      {theirs + "attention.attention.key.*", ours + "attn.qkv.*", Shape::kSame, 1, 3},
      {theirs + "attention.attention.value.*", ours + "attn.qkv.*", Shape::kSame, 2, 3},
      {theirs + "attention.output.dense.*", ours + "attn.proj.*"},
      {theirs + "layer_scale1.lambda1", ours + "ls1.gamma"},
      {theirs + "layer_scale2.lambda1", ours + "ls2.gamma"},
      {theirs + "mlp.fc1.*", ours + "mlp.fc1.*"},
      {theirs + "mlp.fc2.*", ours + "mlp.fc2.*"},
      {theirs + "mlp.weights_in.*", ours + "mlp.w12.*"},
      {theirs + "mlp.weights_out.*", ours + "mlp.w3.*"},
      // In memory since Transformers 5.
      {theirs + "attention.q_proj.*", ours + "attn.qkv.*", Shape::kSame, 0, 3},
      {theirs + "attention.k_proj.*", ours + "attn.qkv.*", Shape::kSame, 1, 3},
      {theirs + "attention.v_proj.*", ours + "attn.qkv.*", Shape::kSame, 2, 3},
      {theirs + "attention.o_proj.*", ours + "attn.proj.*"},
      {theirs + "mlp.gate_proj.*", ours + "mlp.w12.*", Shape::kSame, 0, 2},
      {theirs + "mlp.up_proj.*", ours + "mlp.w12.*", Shape::kSame, 1, 2},
      {theirs + "mlp.down_proj.*", ours + "mlp.w3.*"},
      // ViTModel.
      {theirs + "layernorm_before.*", ours + "norm1.*"},
      {theirs + "layernorm_after.*", ours + "norm2.*"},
      {theirs + "intermediate.dense.*", ours + "mlp.fc1.*"},
      {theirs + "output.dense.*", ours + "mlp.fc2.*"},
      {"*", "*"},
  };
}

KnownWeights read(const TensorMap& tensors, const Reading& reading) {
  return sort_into({{WeightPart::kTeacher, rules()}}, tensors, reading);
}

}  // namespace

std::vector<Format> hugging_face_formats() {
  const std::string patches = "embeddings.patch_embeddings.projection.weight";
  const std::string positions = "embeddings.position_embeddings";
  return {
      {"DINOv2 (Hugging Face)", {patches, positions, "encoder.layer.0.layer_scale1.lambda1"}, read},
      {"vision transformer (Hugging Face)",
       {patches, positions, "encoder.layer.0.layernorm_before.weight"},
       read}};
}

}  // namespace leaf::io::names
