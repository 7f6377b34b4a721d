#pragma once

#include <cstddef>
#include <string>

#include "leaf/pipeline/segment_volume.h"
#include "tiles.h"

namespace leaf {

/// How slices come to the network.
struct SliceWork {
  bool probability = false;  ///< is to be kept
  const std::size_t& batch;  ///< slices, or tiles of one, at a time; read before each time
  RunNetwork run;
};

/// segment_volume(), with more to say. The labels are undefined where `work.run` ended the work.
VolumeSegmentation segment_slices(const Segmenter& segmenter, const data::Volume& volume,
                                  const std::string& name, const MaskOptions& options,
                                  const SliceWork& work);

}  // namespace leaf
