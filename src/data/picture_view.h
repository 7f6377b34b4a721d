#pragma once

#include <ATen/core/Tensor.h>

#include <opencv2/core.hpp>

namespace leaf::data {

/// A matrix header on a tensor's memory, uint8 [H,W] or [H,W,C].
inline cv::Mat picture_view(const at::Tensor& image) {
  const int channels = image.dim() == 3 ? static_cast<int>(image.size(2)) : 1;
  return {static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC(channels),
          image.data_ptr()};
}

}  // namespace leaf::data
