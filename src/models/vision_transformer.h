#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/teacher.h"
#include "nn/layers.h"

namespace leaf::models {

/// A vision transformer in the form of DINOv2, timm, MAE and CLIP. `grid` is the side, in patches,
/// of the position grid that the weights carry; other sizes are resampled.
struct VisionTransformerConfig {
  std::string name;
  std::int64_t width = 768;
  std::int64_t depth = 12;
  std::int64_t num_heads = 12;
  std::int64_t patch_size = 14;
  std::int64_t grid = 37;
  std::int64_t num_registers = 0;
  bool layer_scale = true;
  /// SwiGLU instead of the two-layer GELU network (DINOv2 giant).
  bool swiglu = false;
  /// A layer norm before the first block, and no bias in the patch embedding (CLIP).
  bool norm_pre = false;
  /// x * sigmoid(1.702 x) in place of the exact GELU (OpenAI's CLIP).
  bool quick_gelu = false;
  double norm_eps = 1e-6;
  /// Normalisation of the input image.
  std::array<double, 3> mean{0.485, 0.456, 0.406};
  std::array<double, 3> std{0.229, 0.224, 0.225};
};

/// The teacher of that name; ConfigError lists the known ones:
/// - dinov2_vit{s,b,l,g}14[_reg]
/// - vit_{tiny,small,base}_patch16_224 (timm)
/// - clip_vit_base_patch{16,32}_224, clip_vit_large_patch14_224 (OpenAI)
/// - open_clip_vit_base_patch16_224, open_clip_vit_large_patch14_224 (LAION-2B)
/// - mae_vit_{base,large}_patch16_224, mae_vit_huge_patch14_224
VisionTransformerConfig vision_transformer_config(const std::string& name);
std::vector<std::string> vision_transformer_names();

class TransformerBlock;

/// Keys as in DINOv2's state dicts: patch_embed.proj, cls_token, register_tokens, pos_embed,
/// blocks.I.*, norm; besides these norm_pre, where there is one.
class VisionTransformer : public Teacher {
 public:
  explicit VisionTransformer(const VisionTransformerConfig& config);

  /// x [N, 3, h*p, w*p], normalised -> layer-normed patch tokens [N, h*w, D], row-major, without
  /// class and register tokens
  at::Tensor forward(const at::Tensor& x) const;
  /// The images are resized bicubically (no antialias) to `side` patches and normalised first.
  at::Tensor tokens(const at::Tensor& images, std::int64_t side) const override;
  std::int64_t width() const override { return config_.width; }
  void reset_parameters(at::Generator generator) override;

  const VisionTransformerConfig& config() const { return config_; }

 private:
  VisionTransformerConfig config_;
  std::shared_ptr<nn::Conv2d> patch_embed_;
  at::Tensor cls_token_, register_tokens_, pos_embed_;
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;
  std::shared_ptr<nn::LayerNorm> norm_pre_, norm_;  // norm_pre_: null without
};

/// A position embedding [1, 1 + G*G, D] resampled to [1, 1 + h*w, D]: the class token's entry
/// stays, the grid is resized bicubically with antialiasing, as timm's `resample_abs_pos_embed`
/// does.
at::Tensor resample_position_embedding(const at::Tensor& embedding, std::int64_t height,
                                       std::int64_t width);

}  // namespace leaf::models
