#pragma once

#include <ATen/core/TensorBody.h>

#include "leaf/pipeline/folder_inference.h"

namespace leaf {

/// Writes an image's files, the mask last: where it stands, the others do. Throws FileError when
/// that fails.
void write_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                   const InferenceInput& input, const PreparedFile& file,
                   const Segmentation& displayed);

}  // namespace leaf
