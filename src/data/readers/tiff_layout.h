#pragma once

#include <cstdint>

#include "leaf/data/picture.h"
#include "tiff_file.h"
#include "tiff_samples.h"

namespace leaf::data {

/// How a page's pixels are stored, as its tags state it.
struct TiffLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t samples = 1;  ///< of a pixel
  SampleType type;
  bool alpha = false;  ///< the last sample
  bool planar = false;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t compression = COMPRESSION_NONE;
  /// libtiff itself makes RGB of the stored colours.
  bool converted = false;
};

/// Throws DataError, which names it, for what is not read. Sets `file` up to hand out RGB where
/// that is what JPEG does with the stored colours.
TiffLayout describe_tiff(const TiffFile& file, const PictureLimits& limits);

}  // namespace leaf::data
