#include "leaf/pipeline/mask_codec.h"

#include <ATen/ATen.h>

namespace leaf {

at::Tensor mask_to_image(const at::Tensor& masks) {
  return masks.expand({-1, 3, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor image_to_probability(const at::Tensor& image) {
  return image.mean({1}, /*keepdim=*/true);
}

}  // namespace leaf
