#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

#include "conv_choice.h"
#include "conv_geometry.h"
#include "conv_kernels.h"

// Convolution of dense channels-last float32 maps on the CPU with packed filters: directly, or 3x3
// by Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016).
namespace leaf::ops::cpu {

/// One convolution's filters in panels of the processor's vector width.
struct PackedFilters {
  ConvForm form;
  FilterLayout layout;
  ConvGeometry geometry;
  std::int64_t kernel, channels, out_channels;
  at::Tensor panels;
};

/// weight [K,C,k,k], float32, of any strides. kStride2 requires kernel 3 and stride 2, the other
/// forms but kDirect kernel 3, stride 1, padding 1 and no pad_end; kDirect has no transformed
/// layout.
PackedFilters pack_filters(const at::Tensor& weight, ConvForm form, FilterLayout layout,
                           const ConvGeometry& geometry = {});

/// The weight that pack_filters was given, but for rounding.
at::Tensor unpack_filters(const PackedFilters& filters);

/// The size of a 3x3 convolution of x [N,C,H,W], stride 1, padding 1.
ConvSize conv_size(const at::Tensor& x, std::int64_t out_channels);

struct ConvResult {
  at::Tensor y;
  /// Whether all outputs are: a NaN or infinity in x spreads through its whole tile.
  bool finite;
};

/// What packed_conv does before and after the convolution.
struct ConvFusion {
  at::Tensor bias = {};      ///< [K], added where defined
  at::Tensor residual = {};  ///< of the result's shape and channels-last, added where defined
  bool relu = false;         ///< last of all
  /// [N,3,C] (normalisation_maps): x is read as silu((x - center) * slope + intercept). Not
  /// kDirect.
  at::Tensor silu_maps = {};
};

/// x [N,C,H,W] -> [N,K,H',W'] (output_size), not empty.
ConvResult packed_conv(const at::Tensor& x, const PackedFilters& filters,
                       const ConvFusion& fusion = {});

/// The gradient of the weight [K,C,3,3] of a convolution 3x3, stride 1, padding 1, from x [N,C,H,W]
/// and the gradient of its result [N,K,H,W], both dense channels-last. By F(4x4,3x3).
at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& y_gradient);

}  // namespace leaf::ops::cpu
