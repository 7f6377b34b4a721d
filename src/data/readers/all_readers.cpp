#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {

// Each in a file of its own.
Reader png_reader();
Reader jpeg_reader();
Reader tiff_reader();
Reader bmp_reader();
Reader webp_reader();
Reader dicom_reader();

const std::vector<Reader>& all_readers() {
  // DICOM's preamble may be the beginning of a TIFF file, for programs that read no DICOM.
  static const std::vector<Reader> readers{dicom_reader(), png_reader(), jpeg_reader(),
                                           tiff_reader(),  bmp_reader(), webp_reader()};
  return readers;
}

void check_size(std::int64_t width, std::int64_t height, const PictureLimits& limits) {
  if (width < 1 || height < 1) {
    refuse_damaged(str("its header states ", width, "x", height, " pixels"));
  }
  if (width > limits.max_pixels / height) {
    constexpr double kMega = 1e6;
    throw DataError(str("it has ", width, "x", height, " pixels, ",
                        fixed(static_cast<double>(width) * static_cast<double>(height) / kMega, 1),
                        " megapixels, and the limit is ",
                        static_cast<double>(limits.max_pixels) / kMega,
                        "; shrink it, or raise the limit (PictureLimits::max_pixels)"));
  }
}

void refuse_damaged(std::string_view words) {
  throw DataError(str("the file is truncated or damaged (", printable(words), "); copy it again"));
}

void refuse_unread(std::string_view what) {
  throw DataError(str(what, " are not read; save it as an ordinary PNG"));
}

at::Tensor new_samples(std::int64_t height, std::int64_t width, std::int64_t channels,
                       at::ScalarType type) {
  return at::empty({height, width, channels}, type);
}

void spread_to_bytes(at::Tensor& samples, std::int64_t largest) {
  constexpr std::int64_t kWhite = 255;
  auto* value = samples.mutable_data_ptr<std::uint8_t>();
  std::for_each(value, value + samples.numel(), [&](std::uint8_t& v) {
    v = static_cast<std::uint8_t>((v * kWhite + largest / 2) / largest);
  });
}

double spacing_of(double count, double millimetres) {
  return count > 0 && count < 1e9 ? millimetres / count : 0;
}

}  // namespace leaf::data
