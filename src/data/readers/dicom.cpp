#include <algorithm>

#include "data/dicom/dicom_file.h"
#include "data/dicom/frame_picture.h"
#include "data/dicom/structure.h"
#include "reader.h"

namespace leaf::data {
namespace {

Picture decode(std::string_view bytes, const PictureLimits& limits) {
  // A compressed data set holds the pixels and little more.
  constexpr std::int64_t kLeast = 64'000'000;
  constexpr std::int64_t kBytesPerPixel = 8;
  const std::int64_t pixels = std::min(limits.max_pixels, std::int64_t{1} << 40);
  dicom::DicomFile file(bytes, std::max(kLeast, kBytesPerPixel * pixels));
  return dicom::read_frame(file, 0, /*first_frame_only=*/true, limits);
}

}  // namespace

Reader dicom_reader() { return {{".dcm"}, &dicom::has_preamble, &decode}; }

}  // namespace leaf::data
