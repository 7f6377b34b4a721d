#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

// GroupNorm of channels-last maps on a GPU; the composed form in ops/group_norm.cpp is its oracle.
namespace leaf::ops::cuda {

/// Whether the kernels take a map that is dense, channels-last and on a GPU, as the caller has
/// seen: float32, float16 or bfloat16 [N,C,H,W] whose rows are whole 16-byte vectors, and not more
/// images than a grid has blocks. Never in a build without CUDA.
bool takes(const at::Tensor& x);

/// silu((x - mean) * rstd * gain + offset), or that without SiLU; gain, offset float32 [N,C] on x's
/// device. Differentiable once.
at::Tensor normalise(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset,
                     std::int64_t groups, double eps, bool silu);

}  // namespace leaf::ops::cuda
