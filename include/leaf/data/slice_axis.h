#pragma once

#include "leaf/core/enum_names.h"

namespace leaf::data {

/// The axis of a volume's file that slices lie one behind the other along.
///   kAuto  the one with the largest distance between voxels; of equal ones (to a hundredth) the
///          nearest to the patient's long axis; of a single slice the one with a single voxel
enum class SliceAxis { kAuto, kI, kJ, kK };
inline EnumNames<SliceAxis> enum_names(SliceAxis /*tag*/) {
  return {
      {SliceAxis::kAuto, "auto"}, {SliceAxis::kI, "i"}, {SliceAxis::kJ, "j"}, {SliceAxis::kK, "k"}};
}

}  // namespace leaf::data
