#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/core/enum_names.h"

namespace leaf::data {

/// The formats that are read; a file is recognised by its first bytes, whatever its name.
enum class PictureFormat { kPng, kJpeg, kTiff, kBmp, kWebp, kDicom };
inline EnumNames<PictureFormat> enum_names(PictureFormat /*tag*/) {
  return {{PictureFormat::kPng, "PNG"},   {PictureFormat::kJpeg, "JPEG"},
          {PictureFormat::kTiff, "TIFF"}, {PictureFormat::kBmp, "BMP"},
          {PictureFormat::kWebp, "WebP"}, {PictureFormat::kDicom, "DICOM"}};
}

/// How the stored pixels lie in the world, as the file states it.
struct PictureGeometry {
  /// 1 to 8, as EXIF and TIFF's tag 274 number them; 1 is "as stored". exif.h turns pixels by it.
  int orientation = 1;
  /// Distances between pixels in mm; 0 where the file states none. Many programs write a screen's
  /// 72 or 96 dpi.
  double row_spacing = 0;
  double column_spacing = 0;
};

/// How a file wants its grey values to be shown.
struct DisplayCurve {
  double low = 0;   ///< this value and those below have the first level
  double high = 0;  ///< this value and those above have the last
  /// From 0 (black) to 255 (white), of values at equal distances from low to high; linear between.
  std::vector<double> levels{0, 255};
};

/// What a picture file holds, as stored: nothing is scaled, converted or turned, but that
///   - grey and colour samples of fewer than 8 bits are spread over 0..255 (palette indices are
///     not),
///   - larger is brighter: TIFF's min-is-white and DICOM's MONOCHROME1 are turned round,
///   - YCbCr, CMYK and L*a*b* become RGB,
///   - grey values of DICOM files are rescaled to what they mean (Hounsfield units, say).
struct Picture {
  /// [H,W,C], C = 1 or 3, and one more with alpha: kByte up to 8 bits, kInt up to 32 bits and for
  /// signed numbers, kFloat for floating-point files and rescaled values that are no whole numbers.
  at::Tensor samples;
  /// Bits of a sample in the file, 1 to 32. Where PNG states that fewer of 16 are significant
  /// (sBIT), those, and the samples reach from 0 to 2^bits - 1. A sign is not counted.
  std::int64_t bits = 8;
  bool alpha = false;  ///< the last channel is alpha
  bool lossy = false;  ///< JPEG or lossy WebP: values near populated ones are noise
  /// Not empty: the samples, [H,W,1], are indices into it. An index beyond its end is black.
  std::vector<std::array<std::uint8_t, 3>> palette;
  std::optional<DisplayCurve> shown;  ///< of grey values: DICOM's window or VOI lookup table
  PictureFormat format = PictureFormat::kPng;
  PictureGeometry geometry;
  std::int64_t pages = 1;  ///< or frames, of which the first is read
};

/// The value of a white sample: 255 in kByte, 2^bits - 1 in kInt, 1 in kFloat.
double white_of(const Picture& picture);

/// What is refused from a file's header, before anything is decoded.
struct PictureLimits {
  /// Width times height. Reading takes up to 20 bytes for each.
  std::int64_t max_pixels = 100'000'000;
};

/// Reads PNG, JPEG, TIFF, BMP, WebP or DICOM. Throws DataError, naming the file and the reason, for
/// a file that is missing, a folder, none of these formats (it is named where it is known), a kind
/// of them that is not read, damaged or cut short, larger than the limits, or too large for the
/// memory.
Picture read_picture(const std::filesystem::path& path, const PictureLimits& limits = {});

/// The same from a file's bytes; `name` is for messages.
Picture decode_picture(std::string_view bytes, const std::string& name,
                       const PictureLimits& limits = {});

}  // namespace leaf::data
