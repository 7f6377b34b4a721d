#include <ATen/ATen.h>

#include <filesystem>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
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

std::string encode_labels(const at::Tensor& labels) {
  constexpr int kMost = 65535;
  const int most = labels.max().item<int>();
  if (most > kMost) {
    throw DataError(str("a PNG cannot hold ", most, " labels, only ", kMost));
  }
  return encode_png(labels);
}

void write_labels(const std::filesystem::path& path, const at::Tensor& labels) {
  try {
    write_file(path, encode_labels(labels));
  } catch (const DataError& error) {
    throw DataError(str("'", path.string(), "': ", error.what()));
  }
}

MapWriter png8_writer() { return {"8", ".png", encode_8}; }
MapWriter png16_writer() { return {"16", ".png", encode_16}; }

}  // namespace leaf::data
