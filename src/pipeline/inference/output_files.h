#pragma once

#include <ATen/core/TensorBody.h>

#include <map>
#include <string>

#include "leaf/pipeline/folder_inference.h"
#include "leaf/pipeline/segment_volume.h"

namespace leaf {

/// Writes an image's files, the mask last: where it stands, the others do. Throws FileError when
/// that fails.
void write_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                   const InferenceInput& input, const PreparedFile& file,
                   const Segmentation& displayed);

/// What is written beside the input's mask, and its form: {"probabilities": "npy"}.
std::map<std::string, std::string> extra_forms(const FolderInferenceOptions& options,
                                               const InferenceInput& input);

/// Whether files are asked for that are made of a volume's probability.
bool wants_probability(const FolderInferenceOptions& options);

/// The same for a volume. What is made of images alone is left out with a warning.
void write_volume_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                          const InferenceInput& input, const data::Volume& volume,
                          const VolumeSegmentation& result);

}  // namespace leaf
