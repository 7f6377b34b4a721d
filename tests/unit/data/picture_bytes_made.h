#pragma once

#include <ATen/ATen.h>
#include <png.h>

#include <cstdint>
#include <string>
#include <vector>

namespace leaf::test {

/// A PNG to be written by libpng.
struct PngSpec {
  int colour = PNG_COLOR_TYPE_GRAY;
  int depth = 8;
  bool interlaced = false;
  int significant = 0;          ///< sBIT of every channel; 0: none
  std::string exif = {};        ///< EXIF data without "Exif" before them
  bool exif_at_end = false;     ///< behind the pixels
  std::uint32_t per_metre = 0;  ///< pHYs
};

/// samples: whole numbers [H,W,C], as many channels as the colour type has.
std::string encode_png(const at::Tensor& samples, const PngSpec& spec);

/// A BMP of this header (40 bytes or more, its own size field first), palette or masks, and pixels.
std::string make_bmp(const std::string& header, const std::string& palette,
                     const std::string& pixels, std::int64_t stated_excess = 0);

/// The fields of a BITMAPINFOHEADER; negative heights are top-down.
std::string bmp_header(std::int32_t width, std::int32_t height, int bits, int compression = 0,
                       int colours = 0, int header_bytes = 40);

/// rgb: uint8 [H,W,3] or [H,W,4]. A quality of 101 is lossless. Wrapped with EXIF where it is
/// given.
std::string encode_webp(const at::Tensor& rgb, int quality, const std::string& exif = {});

}  // namespace leaf::test
