#pragma once

#include <filesystem>

#include "leaf/pipeline/folder_inference.h"

namespace leaf {

/// output/probabilities/NAME.png and output/overlays/NAME.jpg.
std::filesystem::path probability_path(const FolderInferenceOptions& options,
                                       const InferenceInput& input);
std::filesystem::path overlay_path(const FolderInferenceOptions& options,
                                   const InferenceInput& input);

}  // namespace leaf
