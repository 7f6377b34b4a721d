#pragma once

#include <ATen/core/TensorBody.h>

namespace leaf::ops {

/// Multi-head attention, softmax(q k^T / sqrt(d)) v with the heads side by side:
/// q [N,H,T,d], k and v [N,H,S,d] -> [N,T,H*d].
///
/// On the CPU in float32, without a gradient and for enough keys to gain, by kernels of our own,
/// whose result does not depend on the number of threads; everything else is LibTorch's.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace leaf::ops
