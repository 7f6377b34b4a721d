#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "leaf/data/volume.h"

namespace leaf::data {

/// What the header of a NIfTI file states.
struct NiftiHeader {
  std::string bytes;  ///< nifti_1_header or nifti_2_header, in the machine's byte order
  VolumeGeometry geometry;
  int type = 0;  ///< DT_UINT8, ...
  std::int64_t voxel_bytes = 1;
  bool swapped = false;     ///< the voxels have the other byte order
  std::int64_t offset = 0;  ///< where they begin in the (unpacked) file
  double slope = 1;         ///< a voxel means slope times its number plus intercept
  double intercept = 0;

  bool scaled() const { return slope != 1 || intercept != 0; }
};

/// The bytes of a file that say how long its header is.
inline constexpr std::size_t kNiftiStart = 4;

/// How long a header is that begins with `start`. Throws DataError, whose message is the reason
/// alone, where that is no NIfTI.
std::size_t nifti_header_bytes(std::string_view start);

/// Reads a header, all of it. Throws DataError, whose message is the reason alone, for one that is
/// damaged, larger than the limits, or of a kind that is not read.
NiftiHeader parse_nifti_header(std::string_view bytes, const VolumeLimits& limits);

}  // namespace leaf::data
