#pragma once

#include <ATen/core/TensorBody.h>

// Multi-head attention of float32 tensors on the CPU.
namespace leaf::ops::cpu {

struct AttentionResult {
  at::Tensor out;  ///< [N,T,H*d]
  /// Whether all of it is: a NaN or infinity in one head spreads over it.
  bool finite;
};

/// q [N,H,T,d], k and v [N,H,S,d], of any strides but without a gradient.
AttentionResult attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

}  // namespace leaf::ops::cpu
