#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

#include "ops/conv2d.h"

// What the composed and the packed convolution share.
namespace leaf::ops {

/// What a context wants before the convolution: upsample(dropout(norm(x))).
at::Tensor before_convolution(const at::Tensor& x, const ConvContext& context);

/// Whether a bias, where there is one, is a dense row of a value for each output.
inline bool bias_fits(const at::Tensor& bias, std::int64_t out_channels) {
  return !bias.defined() ||
         (bias.dim() == 1 && bias.numel() == out_channels && bias.is_contiguous());
}

}  // namespace leaf::ops
