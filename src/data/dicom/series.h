#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "leaf/data/volume.h"

namespace leaf::data::dicom {

using Vector = std::array<double, 3>;

/// A frame among others that lie in one space, in DICOM's coordinates: mm towards the patient's
/// left, back and head.
struct PlacedFrame {
  DicomFrame source;
  std::array<std::int64_t, 2> size{};  ///< width, height
  std::array<double, 2> spacing{};     ///< from row to row, from column to column
  Vector across{};                     ///< direction from column to column, of length 1
  Vector down{};                       ///< from row to row
  Vector position{};                   ///< of the first pixel
  double depth = 1;                    ///< to the next frame, where no position tells
};

/// The frames of a volume in the order of their places, and where they lie.
struct Series {
  std::vector<PlacedFrame> frames;
  VolumeGeometry geometry;
  std::string remark;  ///< about distances that are not equal; else empty
};

/// Puts frames in order along their normal. Throws DataError, whose message is the reason alone,
/// where they differ in size or direction, and where two lie at one place.
Series put_in_order(std::vector<PlacedFrame> frames);

/// The frames of the DICOM files of a folder, which must be of one series, or of one file of
/// several frames. Files without pixels are left out. Throws DataError, whose message is the reason
/// alone, also for more frames than the limits or a file's pixels allow.
std::vector<PlacedFrame> read_placed_frames(const std::filesystem::path& folder,
                                            const VolumeLimits& limits);

}  // namespace leaf::data::dicom
