#include "ops/channel_affine.h"

#include <ATen/ATen.h>

namespace leaf::ops {

ChannelAffine each_image(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const std::optional<ScaleShift>& modulation) {
  const auto spread = [&](const at::Tensor& t) {
    return t.expand({x.size(0), x.size(1)}).contiguous();
  };
  if (!modulation) {
    return {.gain = spread(weight), .offset = spread(bias)};
  }
  const at::Tensor factor = 1 + modulation->scale;
  return {.gain = spread(weight * factor),
          .offset = spread(at::addcmul(modulation->shift, bias, factor))};
}

}  // namespace leaf::ops
