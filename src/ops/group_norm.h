#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <optional>

namespace leaf::ops {

/// A per-image modulation of normalised channels, h * (1 + scale) + shift. Both [N or 1, C].
struct ScaleShift {
  at::Tensor scale;
  at::Tensor shift;
};

/// Group normalisation with affine: each image's channels in `groups` equal groups.
/// x [N,C,...] -> same shape; weight, bias [C]. Differentiable once.
///
/// float32 maps [N,C,H,W] in channels-last order on the CPU take a kernel of our own: LibTorch's
/// forms the variance as E[x^2] - E[x]^2 in float32, which loses digits as soon as |mean| exceeds
/// the spread. Statistics here are summed in double, in an order that the number of threads does
/// not change. On a GPU, channels-last maps in float32, float16 and bfloat16 take one as well, with
/// statistics in float32. Everything else (other types and layouts; autocast on the CPU) is
/// LibTorch's operators, composed.
at::Tensor group_norm(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps);

/// silu(group_norm(x)), with `modulation` applied in between where given; on the fast path one
/// pass. x [N,C,...] -> same shape.
at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps,
                           const std::optional<ScaleShift>& modulation = std::nullopt);

}  // namespace leaf::ops
