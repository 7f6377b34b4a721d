#include "data/transforms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace leaf::data {

at::Tensor resize_image(const at::Tensor& rgb, std::int64_t size) {
  // A permuted view of [H,W,3] is channels-last, for which ATen has Pillow's integer arithmetic.
  const at::Tensor input = rgb.contiguous().permute({2, 0, 1}).unsqueeze(0);
  const at::Tensor output = at::_upsample_bilinear2d_aa(input, {size, size}, false);
  return output.squeeze(0).permute({1, 2, 0}).contiguous();
}

at::Tensor resize_mask_nearest(const at::Tensor& mask, std::int64_t size) {
  const at::Tensor input = mask.contiguous();
  const std::int64_t height = mask.size(0);
  const std::int64_t width = mask.size(1);
  const at::Tensor output = at::empty({size, size}, at::kByte);
  const auto* from = input.const_data_ptr<std::uint8_t>();
  auto* to = output.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t y = 0; y < size; ++y) {
    const std::uint8_t* row = from + (2 * y + 1) * height / (2 * size) * width;
    for (std::int64_t x = 0; x < size; ++x) {
      *to++ = row[(2 * x + 1) * width / (2 * size)];
    }
  }
  return output;
}

at::Tensor to_tensor(const at::Tensor& rgb) {
  return rgb.movedim(-1, -3).to(at::kFloat, false, false, at::MemoryFormat::Contiguous).div_(255);
}

at::Tensor resize_probability(const at::Tensor& probability, std::int64_t height,
                              std::int64_t width) {
  const at::Tensor input =
      probability.contiguous().view({-1, 1, probability.size(-2), probability.size(-1)});
  std::vector<std::int64_t> shape = probability.sizes().vec();
  shape.end()[-2] = height;
  shape.end()[-1] = width;
  return at::_upsample_bilinear2d_aa(input, {height, width}, false).view(shape);
}

at::Tensor flip(const at::Tensor& pixels, bool horizontal, bool vertical) {
  const at::Tensor input = pixels.contiguous();
  const at::Tensor output = at::empty_like(input);
  const std::int64_t height = input.size(0);
  const std::int64_t width = input.size(1);
  const std::int64_t channels = input.dim() == 3 ? input.size(2) : 1;
  const auto* from = input.const_data_ptr<std::uint8_t>();
  auto* to = output.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* row = from + (vertical ? height - 1 - y : y) * width * channels;
    for (std::int64_t x = 0; x < width; ++x) {
      to = std::copy_n(row + (horizontal ? width - 1 - x : x) * channels, channels, to);
    }
  }
  return output;
}

}  // namespace leaf::data
