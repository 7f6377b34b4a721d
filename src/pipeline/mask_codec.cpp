#include "pipeline/mask_codec.h"

#include <ATen/ATen.h>

#include <cmath>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {

at::Tensor mask_to_image(const at::Tensor& masks) {
  return masks.expand({-1, 3, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor image_to_probability(const at::Tensor& image) {
  return image.mean({1}, /*keepdim=*/true);
}

at::Tensor spread_not_finite(const at::Tensor& values) {
  const at::Tensor zero = values.flatten(1).sum(1) * 0;  // NaN where the sum is no number
  return values + zero.to(values.scalar_type()).view({-1, 1, 1, 1});
}

void require_finite(const at::Tensor& probability, const std::string& name) {
  if (!std::isfinite(probability.sum().item<double>())) {
    throw DataError(str("'", name,
                        "': the model's result is not finite (NaN or infinity), so there is no "
                        "mask; its weights do not fit such an image"));
  }
}

}  // namespace leaf
