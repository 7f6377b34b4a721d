#include "leaf/data/image_io.h"

#include <ATen/ATen.h>

#include "leaf/core/files.h"

namespace leaf::data {
namespace fs = std::filesystem;

void write_png(const fs::path& path, const at::Tensor& image) {
  write_file(path, encode_png(image));
}

void write_jpeg(const fs::path& path, const at::Tensor& image, int quality) {
  write_file(path, encode_jpeg(image, quality));
}

}  // namespace leaf::data
