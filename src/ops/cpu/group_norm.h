#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

#include "ops/channel_affine.h"

// GroupNorm of dense channels-last float32 maps on the CPU. Every x, grad here is [N,C,H,W] with
// channels innermost, not empty.
namespace leaf::ops::cpu {

/// Of each image and group, double [N,G].
struct GroupMoments {
  at::Tensor mean;
  at::Tensor rstd;
};

GroupMoments group_moments(const at::Tensor& x, std::int64_t groups, double eps);

/// The normalisation with affine as one map per image and channel, [N,3,C]: center, slope and
/// intercept of (x - center) * slope + intercept.
at::Tensor normalisation_maps(const at::Tensor& x, std::int64_t groups, const ChannelAffine& affine,
                              double eps);

/// (x - mean) * rstd * gain + offset, then SiLU if `silu`. gain, offset float32 [N,C], contiguous.
at::Tensor normalise(const at::Tensor& x, const GroupMoments& moments, const at::Tensor& gain,
                     const at::Tensor& offset, bool silu);

struct NormaliseGradients {
  at::Tensor x;       // [N,C,H,W], channels-last
  at::Tensor gain;    // [N,C]
  at::Tensor offset;  // [N,C]
};

/// The gradients of normalise(x, group_moments(x), ...), given that of its result.
NormaliseGradients normalise_backward(const at::Tensor& grad, const at::Tensor& x,
                                      const GroupMoments& moments, const at::Tensor& gain,
                                      const at::Tensor& offset, bool silu);

}  // namespace leaf::ops::cpu
