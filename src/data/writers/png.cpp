#include <ATen/ATen.h>

#include <string>

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
  return encode_png(levels(values, 65535).to(at::kInt));
}

}  // namespace

MapWriter png8_writer() { return {"8", ".png", encode_8}; }
MapWriter png16_writer() { return {"16", ".png", encode_16}; }

}  // namespace leaf::data
