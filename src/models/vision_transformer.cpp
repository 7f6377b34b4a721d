#include "models/vision_transformer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <memory>

#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "ops/attention.h"

namespace leaf::models {
namespace {

/// Two linear layers with GELU between them (keys fc1, fc2), or SwiGLU (keys w12, w3).
class Mlp : public torch::nn::Module {
 public:
  explicit Mlp(const VisionTransformerConfig& config)
      : swiglu_(config.swiglu), quick_gelu_(config.quick_gelu) {
    const std::int64_t width = config.width;
    const std::int64_t hidden = 4 * width;
    if (swiglu_) {
      const std::int64_t gated = (hidden * 2 / 3 + 7) / 8 * 8;
      first_ = register_module("w12", std::make_shared<nn::Linear>(width, 2 * gated));
      second_ = register_module("w3", std::make_shared<nn::Linear>(gated, width));
    } else {
      first_ = register_module("fc1", std::make_shared<nn::Linear>(width, hidden));
      second_ = register_module("fc2", std::make_shared<nn::Linear>(hidden, width));
    }
  }

  /// x [N, T, D] -> same shape
  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor h = first_->forward(x);
    if (swiglu_) {
      const auto halves = h.chunk(2, -1);
      return second_->forward(at::silu(halves[0]) * halves[1]);
    }
    return second_->forward(quick_gelu_ ? h * at::sigmoid(1.702 * h) : at::gelu(h));
  }

 private:
  bool swiglu_, quick_gelu_;
  std::shared_ptr<nn::Linear> first_, second_;
};

/// Key: gamma [D].
class LayerScale : public nn::Layer {
 public:
  explicit LayerScale(std::int64_t width) {
    gamma_ = register_parameter("gamma", at::empty({width}));
  }
  at::Tensor forward(const at::Tensor& x) const { return x * gamma_; }
  void reset_parameters(at::Generator /*generator*/) override { gamma_.fill_(1); }

 private:
  at::Tensor gamma_;
};

class Attention : public torch::nn::Module {
 public:
  Attention(std::int64_t width, std::int64_t num_heads) : num_heads_(num_heads) {
    qkv_ = register_module("qkv", std::make_shared<nn::Linear>(width, 3 * width));
    proj_ = register_module("proj", std::make_shared<nn::Linear>(width, width));
  }

  /// x [N, T, D] -> same shape
  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor qkv =
        qkv_->forward(x).reshape({x.size(0), x.size(1), 3, num_heads_, x.size(2) / num_heads_});
    const auto part = [&](std::int64_t i) { return qkv.select(2, i).transpose(1, 2); };
    return proj_->forward(ops::attention(part(0), part(1), part(2)));
  }

 private:
  std::int64_t num_heads_;
  std::shared_ptr<nn::Linear> qkv_, proj_;
};

constexpr std::array<double, 3> kHalf{0.5, 0.5, 0.5};

VisionTransformerConfig dinov2(const std::string& name, std::int64_t width, std::int64_t depth,
                               std::int64_t num_heads, std::int64_t num_registers) {
  return {.name = name,
          .width = width,
          .depth = depth,
          .num_heads = num_heads,
          .num_registers = num_registers,
          .swiglu = width == 1536};
}

/// As in the first paper: for images of 224 pixels, without layer scale.
VisionTransformerConfig plain(const std::string& name, std::int64_t width, std::int64_t depth,
                              std::int64_t num_heads, std::int64_t patch_size) {
  return {.name = name,
          .width = width,
          .depth = depth,
          .num_heads = num_heads,
          .patch_size = patch_size,
          .grid = 224 / patch_size,
          .layer_scale = false};
}

VisionTransformerConfig timm(const std::string& name, std::int64_t width, std::int64_t num_heads) {
  VisionTransformerConfig config = plain(name, width, 12, num_heads, 16);
  config.mean = config.std = kHalf;
  return config;
}

VisionTransformerConfig open_clip(VisionTransformerConfig config) {
  config.norm_pre = true;
  config.norm_eps = 1e-5;
  config.mean = {0.48145466, 0.4578275, 0.40821073};
  config.std = {0.26862954, 0.26130258, 0.27577711};
  return config;
}

/// OpenAI's own.
VisionTransformerConfig clip(const VisionTransformerConfig& plain_config) {
  VisionTransformerConfig config = open_clip(plain_config);
  config.quick_gelu = true;
  return config;
}

std::vector<VisionTransformerConfig> known_transformers() {
  std::vector<VisionTransformerConfig> known;
  for (const std::int64_t registers : {0, 4}) {
    const std::string suffix = registers > 0 ? "14_reg" : "14";
    known.push_back(dinov2("dinov2_vits" + suffix, 384, 12, 6, registers));
    known.push_back(dinov2("dinov2_vitb" + suffix, 768, 12, 12, registers));
    known.push_back(dinov2("dinov2_vitl" + suffix, 1024, 24, 16, registers));
    known.push_back(dinov2("dinov2_vitg" + suffix, 1536, 40, 24, registers));
  }
  known.push_back(timm("vit_tiny_patch16_224", 192, 3));
  known.push_back(timm("vit_small_patch16_224", 384, 6));
  known.push_back(timm("vit_base_patch16_224", 768, 12));
  known.push_back(clip(plain("clip_vit_base_patch16_224", 768, 12, 12, 16)));
  known.push_back(clip(plain("clip_vit_base_patch32_224", 768, 12, 12, 32)));
  known.push_back(clip(plain("clip_vit_large_patch14_224", 1024, 24, 16, 14)));
  known.push_back(open_clip(plain("open_clip_vit_base_patch16_224", 768, 12, 12, 16)));
  known.push_back(open_clip(plain("open_clip_vit_large_patch14_224", 1024, 24, 16, 14)));
  known.back().mean = known.back().std = kHalf;  // unlike its smaller relative
  known.push_back(plain("mae_vit_base_patch16_224", 768, 12, 12, 16));
  known.push_back(plain("mae_vit_large_patch16_224", 1024, 24, 16, 16));
  known.push_back(plain("mae_vit_huge_patch14_224", 1280, 32, 16, 14));
  return known;
}

at::Tensor per_channel(const std::array<double, 3>& values, const at::Tensor& like) {
  const at::Tensor numbers = at::tensor(at::ArrayRef<double>(values), like.scalar_type());
  return to_device(numbers.reshape({1, 3, 1, 1}), like.device());
}

}  // namespace

/// Pre-norm transformer block with optional layer scale. Keys norm1, attn, ls1, norm2, mlp, ls2.
class TransformerBlock : public torch::nn::Module {
 public:
  explicit TransformerBlock(const VisionTransformerConfig& config) {
    norm1_ =
        register_module("norm1", std::make_shared<nn::LayerNorm>(config.width, config.norm_eps));
    attn_ = register_module("attn", std::make_shared<Attention>(config.width, config.num_heads));
    norm2_ =
        register_module("norm2", std::make_shared<nn::LayerNorm>(config.width, config.norm_eps));
    mlp_ = register_module("mlp", std::make_shared<Mlp>(config));
    if (config.layer_scale) {
      ls1_ = register_module("ls1", std::make_shared<LayerScale>(config.width));
      ls2_ = register_module("ls2", std::make_shared<LayerScale>(config.width));
    }
  }

  /// x [N, T, D] -> same shape
  at::Tensor forward(const at::Tensor& x) const {
    const auto scaled = [](const std::shared_ptr<LayerScale>& scale, const at::Tensor& h) {
      return scale ? scale->forward(h) : h;
    };
    const at::Tensor h = x + scaled(ls1_, attn_->forward(norm1_->forward(x)));
    return h + scaled(ls2_, mlp_->forward(norm2_->forward(h)));
  }

 private:
  std::shared_ptr<nn::LayerNorm> norm1_, norm2_;
  std::shared_ptr<Attention> attn_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<LayerScale> ls1_, ls2_;
};

VisionTransformerConfig vision_transformer_config(const std::string& name) {
  for (const auto& config : known_transformers()) {
    if (config.name == name) {
      return config;
    }
  }
  const auto names = vision_transformer_names();
  throw ConfigError(str("unknown teacher '", name, "'", did_you_mean(name, names),
                        "; known are none, ", join(names, ", ")));
}

std::vector<std::string> vision_transformer_names() {
  std::vector<std::string> names;
  for (const auto& config : known_transformers()) {
    names.push_back(config.name);
  }
  return names;
}

VisionTransformer::VisionTransformer(const VisionTransformerConfig& config) : config_(config) {
  auto patch_embed = register_module("patch_embed", std::make_shared<nn::Group>());
  patch_embed_ = patch_embed->register_module(
      "proj", std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = 3,
                                                             .out_channels = config.width,
                                                             .kernel_size = config.patch_size,
                                                             .stride = config.patch_size,
                                                             .padding = 0,
                                                             .bias = !config.norm_pre}));
  cls_token_ = register_parameter("cls_token", at::empty({1, 1, config.width}));
  pos_embed_ =
      register_parameter("pos_embed", at::empty({1, 1 + config.grid * config.grid, config.width}));
  if (config.num_registers > 0) {
    register_tokens_ =
        register_parameter("register_tokens", at::empty({1, config.num_registers, config.width}));
  }
  if (config.norm_pre) {
    norm_pre_ =
        register_module("norm_pre", std::make_shared<nn::LayerNorm>(config.width, config.norm_eps));
  }
  auto blocks = register_module("blocks", std::make_shared<nn::Group>());
  for (std::int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(
        blocks->register_module(std::to_string(i), std::make_shared<TransformerBlock>(config)));
  }
  norm_ = register_module("norm", std::make_shared<nn::LayerNorm>(config.width, config.norm_eps));
}

at::Tensor VisionTransformer::forward(const at::Tensor& x) const {
  const at::Tensor patches = patch_embed_->forward(x);
  const std::int64_t n = x.size(0);
  at::Tensor tokens = at::cat({cls_token_.expand({n, -1, -1}), nn::to_tokens(patches)}, 1);
  tokens = tokens + resample_position_embedding(pos_embed_, patches.size(2), patches.size(3));
  if (register_tokens_.defined()) {
    tokens = at::cat({tokens.narrow(1, 0, 1), register_tokens_.expand({n, -1, -1}),
                      tokens.narrow(1, 1, tokens.size(1) - 1)},
                     1);
  }
  if (norm_pre_) {
    tokens = norm_pre_->forward(tokens);
  }
  for (const auto& block : blocks_) {
    tokens = block->forward(tokens);
  }
  const std::int64_t prefix = 1 + config_.num_registers;
  return norm_->forward(tokens.narrow(1, prefix, tokens.size(1) - prefix));
}

at::Tensor VisionTransformer::tokens(const at::Tensor& images, std::int64_t side) const {
  const std::int64_t size = side * config_.patch_size;
  const at::Tensor resized = images.size(2) == size && images.size(3) == size
                                 ? images
                                 : at::upsample_bicubic2d(images, {size, size}, false);
  return forward((resized - per_channel(config_.mean, images)) / per_channel(config_.std, images));
}

void VisionTransformer::reset_parameters(at::Generator generator) {
  constexpr double kStd = 0.02;
  for (at::Tensor* parameter : {&cls_token_, &pos_embed_, &register_tokens_}) {
    if (parameter->defined()) {
      parameter->normal_(0.0, kStd, generator);
    }
  }
}

at::Tensor resample_position_embedding(const at::Tensor& embedding, std::int64_t height,
                                       std::int64_t width) {
  const std::int64_t dim = embedding.size(2);
  const std::int64_t positions = embedding.size(1) - 1;
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(positions)));
  if (side == height && side == width) {
    return embedding;
  }
  const at::Tensor grid =
      embedding.narrow(1, 1, positions).reshape({1, side, side, dim}).permute({0, 3, 1, 2});
  const at::Tensor resized = at::_upsample_bicubic2d_aa(grid.contiguous(), {height, width}, false);
  return at::cat({embedding.narrow(1, 0, 1), nn::to_tokens(resized)}, 1);
}

}  // namespace leaf::models
