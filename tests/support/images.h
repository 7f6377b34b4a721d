#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "leaf/data/image_io.h"

namespace leaf::test {

/// An empty file, its folders made: enough where names alone matter.
inline void touch(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path};
}

/// Every pixel different from its neighbours: uint8 [height,width,3].
inline at::Tensor picture(std::int64_t height, std::int64_t width, std::int64_t salt = 0) {
  return (at::arange(height * width * 3).mul(7) + salt)
      .remainder(251)
      .to(at::kByte)
      .view({height, width, 3});
}

/// The left half is `value`, the rest 0: uint8 [height,width].
inline at::Tensor half_mask(std::int64_t height, std::int64_t width, int value = 255) {
  const at::Tensor mask = at::zeros({height, width}, at::kByte);
  mask.narrow(1, 0, width / 2).fill_(value);
  return mask;
}

/// folder/images/NAME.png and folder/masks/NAME.png.
inline void write_pair(const std::filesystem::path& folder, const std::string& name,
                       std::int64_t salt = 0) {
  data::write_png(folder / "images" / (name + ".png"), picture(12, 16, salt));
  data::write_png(folder / "masks" / (name + ".png"), half_mask(12, 16));
}

/// The message of the exception that `run` throws; "" when it throws none.
template <typename Exception, typename Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace leaf::test
