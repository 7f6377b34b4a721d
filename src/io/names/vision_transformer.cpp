// Vision transformers in the form that DINOv2, timm and MAE share, which is ours.
#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "format.h"

namespace leaf::io::names {
namespace {

/// timm has one class for both networks: where the gate is, fc1 is twice as wide as fc2 wants.
bool is_gated(const TensorMap& tensors) {
  const auto fc1 = tensors.find("blocks.0.mlp.fc1.weight");
  const auto fc2 = tensors.find("blocks.0.mlp.fc2.weight");
  return fc1 != tensors.end() && fc2 != tensors.end() && fc1->second.dim() == 2 &&
         fc2->second.dim() == 2 && fc1->second.size(0) == 2 * fc2->second.size(1);
}

std::vector<Rule> teacher_rules(bool gated) {
  std::vector<Rule> rules{{"mask_token", ""},
                          {"head.*", ""},
                          {"fc_norm.*", ""},
                          {"decoder_*", ""},  // MAE's training half
                          {"reg_token", "register_tokens"},
                          // DINOv2's training checkpoints number blocks within chunks, from 0.
                          {"blocks.{chunk}.{i}.*", "blocks.{i}.*"}};
  if (gated) {
    rules.push_back({"blocks.{i}.mlp.fc1.*", "blocks.{i}.mlp.w12.*"});
    rules.push_back({"blocks.{i}.mlp.fc2.*", "blocks.{i}.mlp.w3.*"});
  }
  rules.push_back({"*", "*"});
  return rules;
}

/// timm adds DINOv2's position of the class token to that token and keeps the grid alone; an entry
/// of zeros stands for it again.
void complete_positions(TensorMap& teacher) {
  const auto found = teacher.find("pos_embed");
  if (found == teacher.end() || !teacher.contains("cls_token") || found->second.dim() != 3) {
    return;
  }
  at::Tensor& positions = found->second;
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(positions.size(1))));
  if (side > 1 && side * side == positions.size(1)) {
    positions = at::cat({at::zeros_like(positions.narrow(1, 0, 1)), positions}, 1);
  }
}

KnownWeights read_teacher(const TensorMap& tensors, const Reading& reading) {
  KnownWeights known =
      sort_into({{WeightPart::kTeacher, teacher_rules(is_gated(tensors))}}, tensors, reading);
  complete_positions(known.parts[WeightPart::kTeacher]);
  return known;
}

}  // namespace

std::vector<Format> vision_transformer_formats() {
  const std::string patches = "patch_embed.proj.weight";
  const std::string qkv = "blocks.0.attn.qkv.weight";
  const std::string scale = "blocks.0.ls1.gamma";
  return {{"MAE", {patches, qkv, "decoder_embed.weight"}, read_teacher},
          {"DINOv2 (timm)", {patches, qkv, scale, "reg_token"}, read_teacher},
          {"DINOv2", {patches, qkv, scale}, read_teacher},
          {"DINOv2 (training checkpoint)", {patches, "blocks.0.0.attn.qkv.weight"}, read_teacher},
          {"CLIP (timm)", {patches, qkv, "norm_pre.weight"}, read_teacher},
          {"vision transformer (timm)", {patches, qkv}, read_teacher}};
}

}  // namespace leaf::io::names
