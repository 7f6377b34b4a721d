#pragma once

#include <ATen/core/TensorBody.h>

namespace leaf::ops {

/// A convolution 3x3, stride 1, padding 1 by our own kernels, forwards and for the gradients of x,
/// weight and bias: x [N,C,H,W], weight [K,C,3,3], bias [K] or undefined, all float32 on the CPU, x
/// channels-last -> [N,K,H,W]. Differentiable once.
at::Tensor differentiable_conv3x3(const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias);

}  // namespace leaf::ops
