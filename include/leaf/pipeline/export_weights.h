#pragma once

#include <filesystem>
#include <optional>

#include "leaf/pipeline/model.h"

namespace leaf {

inline constexpr const char* kSdsegWeights = "sdseg.safetensors";

/// A folder of ours -> one for other programs, complete or not at all:
/// - a model folder or a run folder (its best, else its last): a model folder; returns the
///   description of the model. In FolderFormat::kSdseg the folder holds one file, kSdsegWeights;
/// - a folder with `vae/` alone, as `import` writes, or the run folder of an autoencoder: `vae/`;
/// - a teacher's folder, as `import` writes: the same, but only in FolderFormat::kLeaf, as nothing
///   else has names for it.
///
/// Throws WeightsError for any other folder and for what the format or the type cannot hold.
std::optional<ModelDescription> export_weights(const std::filesystem::path& from,
                                               const std::filesystem::path& to,
                                               const SaveOptions& options);

}  // namespace leaf
