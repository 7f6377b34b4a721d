#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

#include "leaf/data/volume.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// What is made of a volume, slice by slice as the volume gives them (data::Slicing);
/// data::write_volume() brings it back into the file's order.
struct VolumeSegmentation {
  at::Tensor labels;       ///< uint8 [slices, H, W]: 0 background, 1, 2, ... the classes
  at::Tensor probability;  ///< float32, that a voxel is no background; undefined unless asked for
};

/// Throws ConfigError for options that a volume's mask cannot have.
void check_volume_options(const MaskOptions& options);

/// Segments the slices of a volume, opened with Segmenter::volume_options(),
/// Segmenter::images_at_once() at a time: each as segment_image() would, the postprocessing
/// included. Grey levels are those of the whole volume (data::read_slice). The starting noise of a
/// slice follows from "NAME#INDEX". Beside the volume, memory is taken for the labels, 1 byte a
/// voxel, and for the probability, 4. Throws DataError, naming the file, for voxels that cannot be
/// read and for a result that is not finite.
VolumeSegmentation segment_volume(const Segmenter& segmenter, const data::Volume& volume,
                                  const std::string& name, const MaskOptions& options = {},
                                  bool probability = false);

}  // namespace leaf
