#pragma once

#include <ATen/core/TensorBody.h>

#include <filesystem>
#include <vector>

#include "leaf/data/mask_classes.h"
#include "leaf/data/volume.h"

namespace leaf::data::dicom {

/// Writes a DICOM Segmentation object, atomically: binary, a segment for each class beside the
/// background and a frame for each segment and source, as uint8 [frames,H,W] has their labels. It
/// belongs to the patient and the study of the first source, refers to every source frame, and has
/// their positions where all state one. Throws DataError for sources that are no DICOM files, are
/// of another size, unpack to more than the limits allow, or have no identifiers to refer to;
/// FileError when the file cannot be written.
void write_segmentation(const std::filesystem::path& path, const std::vector<DicomFrame>& sources,
                        const at::Tensor& labels, const MaskClasses& classes,
                        const VolumeLimits& limits = {});

}  // namespace leaf::data::dicom
