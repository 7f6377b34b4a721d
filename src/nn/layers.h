#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "nn/module.h"
#include "ops/conv2d.h"
#include "ops/group_norm.h"

namespace leaf::nn {

struct Conv2dOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t kernel_size = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 1;
  /// Further zeros, behind the last row and column alone.
  std::int64_t pad_end = 0;
  bool bias = true;
  /// A fresh layer is all zeros (the last layer of a residual branch).
  bool zero_init = false;
};

/// 2-D convolution. Keys: weight [C_out, C_in, k, k], bias [C_out].
class Conv2d : public Layer {
 public:
  explicit Conv2d(const Conv2dOptions& options);
  /// x [N, C_in, H, W] -> [N, C_out, H', W'], with what the context wants before and after it
  at::Tensor forward(const at::Tensor& x, const ops::ConvContext& context = {}) const;
  void reset_parameters(at::Generator generator) override;

  /// From now on runs by ops::PackedConv2d, which takes the weight: the layer can neither be saved
  /// nor trained any more.
  void pack();
  /// Null unless packed.
  const ops::PackedConv2d* packed() const { return packed_.get(); }

  at::Tensor weight;
  at::Tensor bias;

 private:
  ops::ConvParameters conv_parameters() const;

  Conv2dOptions options_;
  std::shared_ptr<ops::PackedConv2d> packed_;
};

/// Packs every Conv2d and TokenConv1d of a module, for float32 inference on the CPU.
void pack_convolutions(torch::nn::Module& module);

/// Whether any of these is packed.
bool is_packed(const torch::nn::Module& module);

/// A 1x1 convolution, without padding.
Conv2dOptions pointwise(std::int64_t in_channels, std::int64_t out_channels, bool bias = true);

/// Affine map of the last dimension. Keys: weight [out, in], bias [out].
class Linear : public Layer {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  /// x [..., in] -> [..., out]
  at::Tensor forward(const at::Tensor& x) const;
  void reset_parameters(at::Generator generator) override;

  at::Tensor weight;
  at::Tensor bias;
};

/// The same map under a 1-D convolution's key shape: weight [out, in, 1] (the attention blocks of
/// the CompVis U-Net). Applied to tokens, channels last.
class TokenConv1d : public Layer {
 public:
  TokenConv1d(std::int64_t in_channels, std::int64_t out_channels, bool zero_init = false);
  /// x [N, T, in] -> [N, T, out]
  at::Tensor forward(const at::Tensor& x) const;
  void reset_parameters(at::Generator generator) override;
  /// As Conv2d::pack.
  void pack();
  bool is_packed() const { return packed_ != nullptr; }

  at::Tensor weight;
  at::Tensor bias;

 private:
  bool zero_init_;
  std::shared_ptr<ops::PackedConv2d> packed_;
};

/// Group normalisation with affine. Keys: weight [C], bias [C].
class GroupNorm : public Layer {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double eps);
  /// x [N, C, ...] -> same shape
  at::Tensor forward(const at::Tensor& x) const;
  /// The same, modulated where asked (scale and shift [N or 1, C]), then SiLU.
  at::Tensor forward_silu(const at::Tensor& x,
                          const std::optional<ops::ScaleShift>& modulation = std::nullopt) const;
  /// The same as a convolution's ConvContext takes it.
  ops::GroupNormSilu then_silu(
      const std::optional<ops::ScaleShift>& modulation = std::nullopt) const;
  void reset_parameters(at::Generator generator) override;

  at::Tensor weight;
  at::Tensor bias;

 private:
  std::int64_t groups_;
  double eps_;
};

/// Layer normalisation of the last dimension. Keys: weight [D], bias [D].
class LayerNorm : public Layer {
 public:
  LayerNorm(std::int64_t features, double eps);
  /// x [..., D] -> same shape
  at::Tensor forward(const at::Tensor& x) const;
  void reset_parameters(at::Generator generator) override;

  at::Tensor weight;
  at::Tensor bias;

 private:
  double eps_;
};

/// [N, C, H, W] -> tokens [N, H*W, C], row-major; a view when x is channels-last.
at::Tensor to_tokens(const at::Tensor& x);

/// Tokens [N, H*W, C] -> [N, C, H, W] (channels-last strides).
at::Tensor from_tokens(const at::Tensor& tokens, std::int64_t height, std::int64_t width);

}  // namespace leaf::nn
