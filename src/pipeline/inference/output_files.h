#pragma once

#include <ATen/core/TensorBody.h>

#include <filesystem>
#include <vector>

#include "leaf/pipeline/folder_inference.h"

namespace leaf {

/// Everything that is written for an input; the mask is the last.
std::vector<std::filesystem::path> output_files(const FolderInferenceOptions& options,
                                                const InferenceInput& input);

/// Writes an image's files, the mask last: where it stands, the others do. FileError when that
/// fails.
void write_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                   const InferenceInput& input, const PreparedFile& file,
                   const Segmentation& displayed);

}  // namespace leaf
