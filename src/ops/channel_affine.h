#pragma once

#include <ATen/core/TensorBody.h>

#include <optional>

#include "ops/group_norm.h"

namespace leaf::ops {

/// What follows the normalisation, float32 [N,C], contiguous.
struct ChannelAffine {
  at::Tensor gain;
  at::Tensor offset;
};

/// weight and bias [C], modulated where asked, for each image of x. Differentiable.
ChannelAffine each_image(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const std::optional<ScaleShift>& modulation);

}  // namespace leaf::ops
