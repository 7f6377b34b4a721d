#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf/pipeline/model.h"

namespace leaf {

struct ImportOptions {
  /// The moving average of the U-Net's weights, where a file has both.
  bool prefer_ema = false;
  /// The model that the weights have to fit. Without, their shapes and the JSON files beside them
  /// tell it, and where these are silent it is the paper's.
  std::optional<ModelDescription> description = {};
  /// Attention heads of the U-Net, which no tensor tells.
  std::optional<std::int64_t> num_heads = {};
  /// The name of a teacher (`alignment.teacher`), where several have the same shape.
  std::optional<std::string> teacher = {};
  /// Networks that no file holds start from random weights of this seed. Without, that is an error.
  std::optional<std::uint64_t> random_seed = {};
};

/// Weights of any known format -> a folder in ours, complete or not at all:
/// - an autoencoder and a U-Net, perhaps a latent encoder: a model folder. A U-Net that takes the
///   latent alone is widened to take the image's too, and a latent encoder that no file holds
///   starts as a copy of the autoencoder's encoder (the paper's start); both are logged.
/// - an autoencoder alone: a folder with `vae/`, for `model.autoencoder.weights`;
/// - a teacher alone: config.json and model.safetensors, for `alignment.weights`.
///
/// `paths`: weight files, folders with one, folders of parts; PART=PATH takes one network
/// (io::WeightPart) from a path, the latent encoder also from an autoencoder. Throws ConfigError
/// for options that concern none of the networks found. WeightsError names what is missing and
/// which file to add, or what contradicts itself; io::WeightsMismatch lists every tensor that does
/// not fit.
void import_weights(const std::vector<std::string>& paths, const std::filesystem::path& target,
                    const ImportOptions& options = {});

}  // namespace leaf
