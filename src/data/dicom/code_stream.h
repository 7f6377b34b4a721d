#pragma once

#include <string_view>

#include "pixel_layout.h"

namespace leaf::data::dicom {

/// The code stream in the boxes of a JP2 file, which some programs write into DICOM files; what is
/// no such file is the code stream itself.
std::string_view without_boxes(std::string_view bytes);

/// Follows a code stream from marker to marker. Throws DataError for one that is damaged, cut
/// short, lacks tiles, holds other pixels than the data set states, or is divided so finely that
/// OpenJPEG's tables would take more memory than the picture.
void check_code_stream(std::string_view stream, const PixelLayout& layout);

}  // namespace leaf::data::dicom
