#include "nn/layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace leaf::nn {
namespace {

/// PyTorch's default for convolutions and linear layers: U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
void reset_affine(at::Tensor& weight, at::Tensor& bias, const at::Generator& generator) {
  const double fan_in = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  const double bound = 1.0 / std::sqrt(fan_in);
  weight.uniform_(-bound, bound, generator);
  if (bias.defined()) {
    bias.uniform_(-bound, bound, generator);
  }
}

/// Takes the weight out of its layer.
std::shared_ptr<ops::PackedConv2d> packed_from(ops::ConvParameters parameters, at::Tensor& weight) {
  parameters.weight = parameters.weight.detach();  // a tensor of its own: the layer's is emptied
  auto packed = std::make_shared<ops::PackedConv2d>(std::move(parameters));
  weight.set_data(at::empty({0}));
  return packed;
}

void reset_norm(at::Tensor& weight, at::Tensor& bias) {
  weight.fill_(1);
  bias.zero_();
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options) : options_(options) {
  const auto k = options.kernel_size;
  weight =
      register_parameter("weight", at::empty({options.out_channels, options.in_channels, k, k}));
  if (options.bias) {
    bias = register_parameter("bias", at::empty({options.out_channels}));
  }
}

at::Tensor Conv2d::forward(const at::Tensor& x, const ops::ConvContext& context) const {
  return packed_ ? packed_->forward(x, context) : ops::conv2d(x, conv_parameters(), context);
}

ops::ConvParameters Conv2d::conv_parameters() const {
  return {.weight = weight,
          .bias = bias,
          .stride = options_.stride,
          .padding = options_.padding,
          .pad_end = options_.pad_end};
}

void Conv2d::pack() {
  if (!packed_) {
    packed_ = packed_from(conv_parameters(), weight);
  }
}

void Conv2d::reset_parameters(at::Generator generator) {
  reset_affine(weight, bias, generator);
  if (options_.zero_init) {
    weight.zero_();
    bias.zero_();
  }
}

void pack_convolutions(torch::nn::Module& module) {
  for (const auto& part : module.modules(/*include_self=*/true)) {
    if (auto* conv = dynamic_cast<Conv2d*>(part.get())) {
      conv->pack();
    } else if (auto* tokens = dynamic_cast<TokenConv1d*>(part.get())) {
      tokens->pack();
    }
  }
}

bool is_packed(const torch::nn::Module& module) {
  const auto parts = module.modules(/*include_self=*/true);
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) {
    const auto* conv = dynamic_cast<const Conv2d*>(part.get());
    const auto* tokens = dynamic_cast<const TokenConv1d*>(part.get());
    return (conv != nullptr && conv->packed() != nullptr) ||
           (tokens != nullptr && tokens->is_packed());
  });
}

Conv2dOptions pointwise(std::int64_t in_channels, std::int64_t out_channels, bool bias) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .kernel_size = 1,
          .padding = 0,
          .bias = bias};
}

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias) {
  weight = register_parameter("weight", at::empty({out_features, in_features}));
  if (with_bias) {
    bias = register_parameter("bias", at::empty({out_features}));
  }
}

at::Tensor Linear::forward(const at::Tensor& x) const { return at::linear(x, weight, bias); }

void Linear::reset_parameters(at::Generator generator) { reset_affine(weight, bias, generator); }

TokenConv1d::TokenConv1d(std::int64_t in_channels, std::int64_t out_channels, bool zero_init)
    : zero_init_(zero_init) {
  weight = register_parameter("weight", at::empty({out_channels, in_channels, 1}));
  bias = register_parameter("bias", at::empty({out_channels}));
}

at::Tensor TokenConv1d::forward(const at::Tensor& x) const {
  if (packed_) {  // a map of one column
    return to_tokens(packed_->forward(from_tokens(x, x.size(1), 1)));
  }
  return at::linear(x, weight.squeeze(-1), bias);
}

void TokenConv1d::pack() {
  if (!packed_) {
    packed_ = packed_from({.weight = weight.unsqueeze(-1), .bias = bias}, weight);
  }
}

void TokenConv1d::reset_parameters(at::Generator generator) {
  reset_affine(weight, bias, generator);
  if (zero_init_) {
    weight.zero_();
    bias.zero_();
  }
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double eps)
    : groups_(groups), eps_(eps) {
  weight = register_parameter("weight", at::empty({channels}));
  bias = register_parameter("bias", at::empty({channels}));
}

at::Tensor GroupNorm::forward(const at::Tensor& x) const {
  return ops::group_norm(x, groups_, weight, bias, eps_);
}

ops::GroupNormSilu GroupNorm::then_silu(const std::optional<ops::ScaleShift>& modulation) const {
  return {.groups = groups_, .weight = weight, .bias = bias, .eps = eps_, .modulation = modulation};
}

at::Tensor GroupNorm::forward_silu(const at::Tensor& x,
                                   const std::optional<ops::ScaleShift>& modulation) const {
  return ops::group_norm_silu(x, groups_, weight, bias, eps_, modulation);
}

void GroupNorm::reset_parameters(at::Generator /*generator*/) { reset_norm(weight, bias); }

LayerNorm::LayerNorm(std::int64_t features, double eps) : eps_(eps) {
  weight = register_parameter("weight", at::empty({features}));
  bias = register_parameter("bias", at::empty({features}));
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight, bias, eps_);
}

void LayerNorm::reset_parameters(at::Generator /*generator*/) { reset_norm(weight, bias); }

at::Tensor to_tokens(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({x.size(0), x.size(2) * x.size(3), x.size(1)});
}

at::Tensor from_tokens(const at::Tensor& tokens, std::int64_t height, std::int64_t width) {
  return tokens.reshape({tokens.size(0), height, width, tokens.size(2)}).permute({0, 3, 1, 2});
}

}  // namespace leaf::nn
