#pragma once

#include <ATen/core/TensorBody.h>

#include <utility>

#include "conv_kernels.h"

// Convolution of dense channels-last float32 maps on the CPU with packed filters: directly, or 3x3
// by Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016).
namespace leaf::ops::cpu {

struct ConvGeometry {
  std::int64_t stride = 1;
  std::int64_t padding = 1;
  std::int64_t pad_end = 0;  ///< further zeros, behind the last row and column alone
};

/// One convolution's filters in panels of the processor's vector width.
struct PackedFilters {
  ConvForm form;
  FilterLayout layout;
  ConvGeometry geometry;
  std::int64_t kernel, channels, out_channels;
  at::Tensor panels;
};

/// weight [K,C,k,k], float32, of any strides. All forms but kDirect require kernel 3, stride 1,
/// padding 1 and no pad_end; kDirect has no transformed layout.
PackedFilters pack_filters(const at::Tensor& weight, ConvForm form, FilterLayout layout,
                           const ConvGeometry& geometry = {});

/// The weight that pack_filters was given, but for rounding.
at::Tensor unpack_filters(const PackedFilters& filters);

/// H' and W' of packed_conv's result.
std::pair<std::int64_t, std::int64_t> output_size(const at::Tensor& x,
                                                  const PackedFilters& filters);

/// x [N,C,H,W] -> [N,K,H',W']; H' = 2H with ConvForm::kUpsample. bias [K] or undefined; residual,
/// of the result's shape and channels-last, is added where defined.
struct ConvResult {
  at::Tensor y;
  /// Whether all outputs are: a NaN or infinity in x spreads through its whole tile.
  bool finite;
};
ConvResult packed_conv(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& bias,
                       const at::Tensor& residual = {}, const Prologue& prologue = {});

/// The gradient of the weight [K,C,3,3] of a convolution 3x3, stride 1, padding 1, from x [N,C,H,W]
/// and the gradient of its result [N,K,H,W], both dense channels-last. `form` kF4x4 or kF6x6.
at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& y_gradient, ConvForm form);

}  // namespace leaf::ops::cpu
