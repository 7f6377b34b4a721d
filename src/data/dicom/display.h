#pragma once

#include <cstdint>
#include <optional>

#include "dicom_file.h"
#include "leaf/data/picture.h"

namespace leaf::data::dicom {

/// How a frame wants its values shown, after they were rescaled: the first VOI lookup table, or
/// else the first window. Nothing where the file states neither, or a window beyond what numbers
/// hold. `is_signed`: whether rescaled values may be below 0.
std::optional<DisplayCurve> find_display(DcmDataset& data_set, std::int64_t frame, bool is_signed);

/// The curve for values v' = sum - v, which are brighter where v were darker.
DisplayCurve mirrored(const DisplayCurve& curve, double sum);

}  // namespace leaf::data::dicom
