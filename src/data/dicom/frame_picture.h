#pragma once

#include <cstdint>
#include <optional>

#include "dicom_file.h"
#include "leaf/data/picture.h"
#include "pixel_layout.h"

namespace leaf::data::dicom {

/// True where pixels were compressed with loss, now or before.
bool is_lossy(DicomFile& file);

/// A frame (from 0) as a picture: grey values rescaled to what they mean (Hounsfield units, say),
/// MONOCHROME1 turned round, colours as RGB. Of a file that is read for its first frame alone the
/// others are not decoded. Throws DataError, whose message is the reason alone.
Picture read_frame(DicomFile& file, std::int64_t frame, bool first_frame_only,
                   const PictureLimits& limits);

/// The steps of read_frame(): samples, bits, palette and display of grey pixels or of colours.
void read_grey(const StoredFrame& stored, DcmDataset& data_set, std::int64_t frame,
               Picture& picture);
void read_colours(const StoredFrame& stored, DcmDataset& data_set, Picture& picture);

}  // namespace leaf::data::dicom
