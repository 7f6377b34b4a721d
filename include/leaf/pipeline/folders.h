#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace leaf {

/// What a training run writes into its folder before its first step: every key, resolved, and which
/// image is in which part.
inline constexpr const char* kRunConfig = "config.yaml";
inline constexpr const char* kRunSplit = "split.csv";
/// Its models: best by validation, and the newest.
inline constexpr const char* kRunBest = "best";
inline constexpr const char* kRunLast = "last";

/// The folder of a kind that a user means by `path`: that folder itself or, in a run folder, `best`
/// or else `last`; nothing when none of them is of the kind.
std::optional<std::filesystem::path> find_folder(
    const std::filesystem::path& path,
    const std::function<bool(const std::filesystem::path&)>& is_kind);

/// Whether a folder has `unet/` or `vae/`: a model folder or another folder of parts.
bool is_parts_folder(const std::filesystem::path& folder);

/// Whether a folder has `vae/` and no other part of a model, as save_autoencoder() writes it.
bool is_autoencoder_folder(const std::filesystem::path& folder);

/// Whether a folder holds a model of ours and nothing else, by the class that only our own
/// model_index.json states. Throws WeightsError for a model_index.json that is no JSON.
bool is_leaf_model_folder(const std::filesystem::path& folder);

/// Whether a folder holds a teacher, by the class that only our own config.json states.
/// Throws WeightsError for a config.json that is no JSON.
bool is_teacher_folder(const std::filesystem::path& folder);

/// The folder of the run that a model folder (`best`, `last`) lies in, known by these two files;
/// nothing when the model lies elsewhere.
std::optional<std::filesystem::path> run_folder_of(const std::filesystem::path& model);

/// The SHA-256 over what `sha256sum` prints for the model's files, in order of their names: those
/// of unet, vae, latent_encoder, scheduler and decoder, model_index.json and preprocessing.json.
std::string model_sha256(const std::filesystem::path& model);

}  // namespace leaf
