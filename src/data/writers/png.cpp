#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "leaf/data/image_io.h"
#include "leaf/data/maps.h"

namespace leaf::data {
namespace {

/// Levels from 0 to `largest`, to the nearest.
at::Tensor levels(const at::Tensor& values, double largest) {
  return values.mul(largest).round().clamp(0, largest);
}

std::string encode_8(const at::Tensor& values) {
  return encode_png(levels(values, 255).to(at::kByte));
}

std::string encode_16(const at::Tensor& values) {
  const at::Tensor dense = levels(values, 65535).to(at::kInt).contiguous();
  cv::Mat pixels;
  cv::Mat(static_cast<int>(dense.size(0)), static_cast<int>(dense.size(1)), CV_32S,
          dense.data_ptr())
      .convertTo(pixels, CV_16U);
  std::vector<unsigned char> bytes;
  if (!cv::imencode(".png", pixels, bytes)) {
    return {};
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

MapWriter png8_writer() { return {"8", ".png", encode_8}; }
MapWriter png16_writer() { return {"16", ".png", encode_16}; }

}  // namespace leaf::data
