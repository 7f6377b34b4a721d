#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "leaf/io/known_weights.h"
#include "leaf/pipeline/model.h"

namespace leaf {

/// Where weights are to come from: a weight file, a folder with one, or a folder of parts (`vae`,
/// `unet`, `latent_encoder`, `decoder`), where `unet_ema` is preferred to `unet`.
struct WeightSource {
  std::filesystem::path path;
  /// Takes this network alone. An autoencoder's encoder serves as latent encoder too.
  std::optional<io::WeightPart> only = {};
};

/// One network's tensors under our names, from one or several files.
struct GatheredPart {
  io::TensorMap tensors;
  std::vector<std::string> sources;
  /// Where a tensor came from, for the message about two that differ.
  std::map<std::string, std::string> source_of;
  /// config.json beside the weights; empty where there is none.
  std::filesystem::path config;

  std::string source() const;
};

/// Everything that a user's files and folders hold.
struct GatheredWeights {
  std::map<io::WeightPart, GatheredPart> parts;
  /// Of the latents, where a file with a complete segmentation model states it (SDSeg).
  std::optional<double> scaling_factor;
  /// scheduler_config.json and preprocessing.json of the model folder that the U-Net is of, or of
  /// another where that has none; empty without.
  std::filesystem::path scheduler, preprocessing;
  /// model_index.json of the one model folder that everything came from; empty otherwise.
  std::filesystem::path index;

  bool has(io::WeightPart part) const { return parts.contains(part); }
};

/// Reads every source and tells what it is, each file by itself: one network may come in several,
/// such as the halves of an autoencoder. What was found is logged. Throws WeightsError for files
/// that cannot be read or recognised, and for two that hold different weights of the same name.
GatheredWeights gather_weights(const std::vector<WeightSource>& sources, bool prefer_ema = false);

/// The autoencoder that the weights make up, by its own tensors or else the latent encoder's, and
/// by the JSON beside them; the default where there is neither.
models::AutoencoderConfig autoencoder_of(const GatheredWeights& gathered);

/// The whole model, in the same way; what nothing tells is the paper's.
ModelDescription describe_gathered(const GatheredWeights& gathered);

/// SDSeg's own training: the noise is predicted, predicted latents are not clamped.
diffusion::SchedulerConfig sdseg_scheduler();

/// The teacher that a folder of leaf's own says it is ("dinov2_vitb14_reg"): two of one shape see
/// pictures differently. "" where the gathered teacher lies in none.
std::string stated_teacher(const GatheredWeights& gathered);

/// Throws WeightsError where the file beside a U-Net's weights states other attention heads than
/// `unet` has, which no shape tells.
void require_stated_heads(const GatheredWeights& gathered, const models::UNetConfig& unet);

}  // namespace leaf
