#include <string>
#include <vector>

// CLIP vision towers. Their patches have no bias, and a norm stands before the blocks.
#include "format.h"

namespace leaf::io::names {
namespace {

/// OpenAI and open_clip, below "visual.".
std::vector<Rule> open_clip_rules() {
  const std::string theirs = "transformer.resblocks.{i}.";
  const std::string ours = "blocks.{i}.";
  return {{"proj", ""},
          {"class_embedding", "cls_token", Shape::kToken},
          {"positional_embedding", "pos_embed", Shape::kTokens},
          {"conv1.*", "patch_embed.proj.*"},
          {"ln_pre.*", "norm_pre.*"},
          {"ln_post.*", "norm.*"},
          {theirs + "ln_1.*", ours + "norm1.*"},
          {theirs + "ln_2.*", ours + "norm2.*"},
          {theirs + "attn.in_proj_*", ours + "attn.qkv.*"},
          {theirs + "attn.out_proj.*", ours + "attn.proj.*"},
          {theirs + "mlp.c_fc.*", ours + "mlp.fc1.*"},
          {theirs + "mlp.c_proj.*", ours + "mlp.fc2.*"},
          {theirs + "ls_1.gamma", ours + "ls1.gamma"},
          {theirs + "ls_2.gamma", ours + "ls2.gamma"},
          {"*", "*"}};
}

/// Hugging Face's CLIPVisionModel, below "vision_model." or bare; "pre_layrnorm" is its spelling.
std::vector<Rule> hugging_face_rules() {
  const std::string theirs = "encoder.layers.{i}.";
  const std::string ours = "blocks.{i}.";
  return {{"embeddings.position_ids", ""},
          {"embeddings.class_embedding", "cls_token", Shape::kToken},
          {"embeddings.position_embedding.weight", "pos_embed", Shape::kTokens},
          {"embeddings.patch_embedding.*", "patch_embed.proj.*"},
          {"pre_layrnorm.*", "norm_pre.*"},
          {"post_layernorm.*", "norm.*"},
          {theirs + "layer_norm1.*", ours + "norm1.*"},
          {theirs + "layer_norm2.*", ours + "norm2.*"},
          {theirs + "self_attn.q_proj.*", ours + "attn.qkv.*", Shape::kSame, 0, 3},
          {theirs + "self_attn.k_proj.*", ours + "attn.qkv.*", Shape::kSame, 1, 3},
          {theirs + "self_attn.v_proj.*", ours + "attn.qkv.*", Shape::kSame, 2, 3},
          {theirs + "self_attn.out_proj.*", ours + "attn.proj.*"},
          {theirs + "mlp.fc1.*", ours + "mlp.fc1.*"},
          {theirs + "mlp.fc2.*", ours + "mlp.fc2.*"},
          {"*", "*"}};
}

}  // namespace

std::vector<Format> clip_formats() {
  const auto open_clip_reader = [](const TensorMap& tensors, const Reading& reading) {
    return sort_into({{WeightPart::kTeacher, open_clip_rules()}}, tensors, reading);
  };
  const auto hugging_face_reader = [](const TensorMap& tensors, const Reading& reading) {
    return sort_into({{WeightPart::kTeacher, hugging_face_rules()}}, tensors, reading);
  };
  return {
      {"CLIP (OpenAI, open_clip)",
       {"conv1.weight", "class_embedding", "transformer.resblocks.0.attn.in_proj_weight"},
       open_clip_reader},
      {"CLIP (Hugging Face)",
       {"embeddings.class_embedding", "embeddings.patch_embedding.weight", "pre_layrnorm.weight"},
       hugging_face_reader}};
}

}  // namespace leaf::io::names
