#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ops/group_norm.h"

namespace leaf::ops {

/// A convolution's weight [K,C,k,k], bias [K] or undefined, and geometry.
struct ConvParameters {
  at::Tensor weight;
  at::Tensor bias = {};
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t pad_end = 0;  ///< further zeros, behind the last row and column alone
};

/// The arguments of group_norm_silu, to be applied by whoever comes next.
struct GroupNormSilu {
  std::int64_t groups;
  at::Tensor weight;
  at::Tensor bias;
  double eps;
  std::optional<ScaleShift> modulation = {};
};

/// What stands right before and after a convolution. Our own kernels do it in the same pass.
struct ConvContext {
  std::optional<GroupNormSilu> norm = {};  ///< first of all
  double dropout = 0;                      ///< probability, after the norm; 0 outside training
  bool upsample = false;                   ///< then nearest-neighbour upsampling by 2
  at::Tensor residual = {};                ///< added to the result; same shape
  bool relu = false;                       ///< last of all
};

/// Nearest-neighbour upsampling by 2: [N,C,H,W] -> [N,C,2H,2W].
at::Tensor upsample_nearest_2x(const at::Tensor& x);

/// relu(conv2d(upsample(dropout(norm(x)))) + residual), x [N,C,H,W] -> [N,K,H',W']. Differentiable
/// once.
///
/// On the CPU in float32 and channels-last order, 3x3 convolutions of stride 1 with 16 channels or
/// more on both sides that are large enough to gain run by Winograd's minimal filtering, forwards
/// and for both gradients (relative error of a layer about 4e-6); everything else is LibTorch's.
at::Tensor conv2d(const at::Tensor& x, const ConvParameters& parameters,
                  const ConvContext& context = {});

/// The same for inference on the CPU in float32, with the filters laid out once.
///
/// The first call picks the form for its map's size (another size later stays correct) and lets go
/// of the parameters' weight. Calls may run on several threads at once. An image's result depends
/// neither on the number of threads nor on its batch. Throws Error where a gradient is asked for.
class PackedConv2d {
 public:
  explicit PackedConv2d(ConvParameters parameters);
  ~PackedConv2d();

  at::Tensor forward(const at::Tensor& x, const ConvContext& context = {}) const;

  /// How it runs: "direct", "F(4x4,3x3)", "F(6x6,3x3)", "stride 2 by F(3x3,2x2)",
  /// "sub-pixel F(5x5,2x2)"; empty before the first call.
  std::string form() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace leaf::ops
