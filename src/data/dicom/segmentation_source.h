#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dicom_file.h"
#include "segmentation.h"

namespace leaf::data::dicom {

/// What a segmentation says of a source frame; texts as its file has them, empty where it has none.
struct FrameFacts {
  std::string class_uid;
  std::string instance_uid;
  std::string series_uid;
  std::int64_t frame = 0;  ///< from 0
  bool multi_frame = false;
  std::string position;
  std::string orientation;
  std::string spacing;
  std::string thickness;
  std::string slice_spacing;
  bool lossy = false;
  std::string lossy_ratio;
  std::string lossy_method;
};

/// All sources of a segmentation.
struct Sources {
  std::unique_ptr<DicomFile> first;  ///< whose patient and study are the segmentation's
  std::vector<FrameFacts> frames;

  /// True where the frames lie in the patient's space, in one direction.
  bool have_geometry() const;
};

/// Reads the files, one after the other. Throws DataError, naming the file, for one that is no
/// DICOM file, is of another size than height x width, unpacks to more than the limits allow, has
/// no identifiers, or belongs to another study than the first.
Sources read_sources(const std::vector<DicomFrame>& sources, std::int64_t height,
                     std::int64_t width, const VolumeLimits& limits);

}  // namespace leaf::data::dicom
