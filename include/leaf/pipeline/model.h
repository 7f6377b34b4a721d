#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/data/intensity.h"
#include "leaf/data/mask_classes.h"
#include "leaf/data/slice_axis.h"
#include "leaf/diffusion/scheduler_config.h"
#include "leaf/models/model_config.h"

// The networks' headers bring in torch/nn/module.h; who calls the networks includes them.
namespace torch::nn {
class Module;
}
namespace leaf::models {
class Autoencoder;
class LatentDecoder;
class LatentEncoder;
class UNet;
}  // namespace leaf::models

namespace leaf {

/// How images become the model's input and its output becomes a mask (`preprocessing.json`).
struct Preprocessing {
  /// Side in pixels of the square that images are resized to (antialiased bilinear), RGB in [0, 1].
  std::int64_t resolution = 256;
  /// How the values of image files become grey levels before that.
  data::Intensity intensity;
  /// Of volumes; empty where an older folder does not say.
  std::optional<data::SliceAxis> slice_axis = {};
  /// Foreground where the probability exceeds this; of several classes, that of nested ones.
  double threshold = 0.5;
  /// Denoising steps that the model was validated with; 0 where its folder does not say.
  std::int64_t num_inference_steps = 0;
  /// Trained at the timestep at which inference begins and no other: one step is all that it knows.
  bool last_timestep_alone = false;
  /// What the mask's pixels may be, and how the latent model codes it.
  data::MaskClasses classes;
};

/// The model that another learned from (Task::kDistill).
struct Origin {
  std::string model;   ///< its folder, as it was given
  std::string sha256;  ///< model_sha256() of it
};

/// Everything about a model but its weights.
struct ModelDescription {
  /// Of the latents: what encodes masks, and images; and what decodes, unless `decoder` says else.
  models::AutoencoderConfig autoencoder;
  models::UNetConfig unet;
  /// Probability, in training.
  double latent_encoder_dropout = 0.2;
  /// Another decoder of the same latents than the autoencoder's own.
  std::optional<models::AutoencoderConfig> decoder = {};
  diffusion::SchedulerConfig scheduler;
  Preprocessing preprocessing;
  /// Of a light model.
  std::optional<Origin> distilled_from = {};
};

/// A model that segments: the networks that inference needs, float32.
struct Model {
  ModelDescription description;
  std::shared_ptr<models::LatentEncoder> latent_encoder;  ///< of images
  std::shared_ptr<models::UNet> unet;
  std::shared_ptr<models::LatentDecoder> decoder;
};

/// A model with what training and conversions need besides: the autoencoder, whose encoder makes
/// the latents of masks, and whose decoder is the model's unless its description has another.
struct TrainingModel : Model {
  std::shared_ptr<models::Autoencoder> autoencoder;
};

/// The networks of a description, parameters allocated but not initialised. Throws WeightsError for
/// a decoder of other latents.
TrainingModel make_model(const ModelDescription& description);
/// Those of inference alone.
Model make_inference_model(const ModelDescription& description);

/// Fresh random weights, a function of the seed alone. The latent encoder starts as a copy of the
/// autoencoder's encoder.
void initialise(TrainingModel& model, std::uint64_t seed);

/// Parameters that inference needs.
std::int64_t parameter_count(const Model& model);

/// Reads what inference needs of a model folder: the published layout (model_index.json, unet/,
/// vae/, latent_encoder/, scheduler/) plus preprocessing.json, without which the published
/// preprocessing is assumed and said, and decoder/ where the decoder is not that of vae/.
/// WeightsError names what is missing or does not fit.
Model load_model(const std::filesystem::path& folder);

/// The same with all of vae/.
TrainingModel load_training_model(const std::filesystem::path& folder);

/// The model folder that a user means by `path`: that folder itself or, in a run folder, `best` or
/// else `last`. Throws WeightsError when there is neither.
std::filesystem::path find_model_folder(const std::filesystem::path& path);

/// Throws ConfigError, naming configuration keys, for a description that no configuration could
/// have led to: a value out of range, or values that cannot go together.
void check_description(const ModelDescription& description);

/// Only the description, without reading weights. Every value is checked as in a configuration.
ModelDescription load_description(const std::filesystem::path& folder);

/// The type that weights are stored in.
enum class WeightType { kFloat32, kFloat16, kBFloat16 };
inline EnumNames<WeightType> enum_names(WeightType /*tag*/) {
  return {{WeightType::kFloat32, "fp32"},
          {WeightType::kFloat16, "fp16"},
          {WeightType::kBFloat16, "bf16"}};
}

/// Whose names weights have: the published reference's, which are ours; those of diffusers'
/// AutoencoderKL for the autoencoder, for use outside; or all in one file, as SDSeg has them.
enum class FolderFormat { kLeaf, kDiffusers, kSdseg };
inline EnumNames<FolderFormat> enum_names(FolderFormat /*tag*/) {
  return {{FolderFormat::kLeaf, "leaf"},
          {FolderFormat::kDiffusers, "diffusers"},
          {FolderFormat::kSdseg, "sdseg"}};
}

struct SaveOptions {
  /// What numbers are stored as.
  WeightType type = WeightType::kFloat32;
  FolderFormat format = FolderFormat::kLeaf;
};

/// Writes a model folder, complete or not at all. Throws FileError when that fails, WeightsError
/// for a format that does not know the model's autoencoder and for numbers that float16 cannot
/// hold.
void save_model(const std::filesystem::path& folder, const TrainingModel& model,
                const SaveOptions& options = {});

/// Replaces the threshold in a model folder's preprocessing.json, atomically; all else stays.
void set_threshold(const std::filesystem::path& folder, double threshold);

/// Writes a folder that holds `vae/` alone, complete or not at all: the start of a segmentation
/// model. The same errors.
void save_autoencoder(const std::filesystem::path& folder, const models::Autoencoder& autoencoder,
                      const models::AutoencoderConfig& config, const SaveOptions& options = {});

}  // namespace leaf
