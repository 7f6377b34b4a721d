#pragma once

#include <ATen/ATen.h>
#include <tiffio.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace leaf::test {

/// A TIFF to be written by libtiff, of made-up samples.
struct TiffSpec {
  std::uint32_t width = 21;
  std::uint32_t height = 13;
  std::uint16_t bits = 8;
  std::uint16_t format = SAMPLEFORMAT_UINT;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t colours = 1;
  std::vector<std::uint16_t> extra = {};  ///< EXTRASAMPLE_... of what follows the colours
  std::uint16_t compression = COMPRESSION_NONE;
  std::uint16_t predictor = PREDICTOR_NONE;
  std::uint16_t orientation = 1;
  bool planar = false;
  bool tiled = false;
  bool big_endian = false;
  bool smooth = false;  ///< samples that JPEG hardly changes
  int pages = 1;

  std::int64_t samples() const { return colours + static_cast<std::int64_t>(extra.size()); }
  std::string text() const;
};

/// The samples of such a file as numbers: float64 [H,W,samples].
at::Tensor samples_of(const TiffSpec& spec);

void write_tiff(const std::filesystem::path& path, const TiffSpec& spec);

/// Red, green and blue of the i-th of 2^bits colours, 8 bits each.
std::vector<std::uint8_t> palette_colour(std::int64_t i);

}  // namespace leaf::test
