#include "leaf/pipeline/export_weights.h"

#include <ATen/core/Tensor.h>

#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"
#include "pipeline/weights/gather_weights.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

void export_autoencoder(const fs::path& vae, const fs::path& to, const SaveOptions& options) {
  if (options.format == FolderFormat::kSdseg) {
    throw WeightsError(
        str("'", vae.string(),
            "' is an autoencoder alone; SaveOptions::format sdseg needs a complete model"));
  }
  const auto config = parse_json(vae / "config.json", autoencoder_from_json);
  const auto autoencoder = models::make_autoencoder(config);
  load_part(*autoencoder, vae);
  save_autoencoder(to, *autoencoder, config, options);
}

void export_teacher(const fs::path& from, const fs::path& to, const SaveOptions& options) {
  if (options.format != FolderFormat::kLeaf) {
    throw WeightsError(str("'", from.string(), "' is a teacher, for which ",
                           enum_text(options.format),
                           " has no names; leave out SaveOptions::format"));
  }
  save_teacher(to, read_json(from / "config.json"),
               stored_as(io::read_weights(from), options.type));
}

void export_sdseg(const TrainingModel& model, const fs::path& to, WeightType type) {
  const ModelDescription& description = model.description;
  if (description.autoencoder.type != models::AutoencoderType::kKl || description.decoder) {
    throw WeightsError("SDSeg has models with the two halves of a kl autoencoder alone");
  }
  const diffusion::SchedulerConfig& scheduler = description.scheduler;
  const diffusion::SchedulerConfig sdsegs = sdseg_scheduler();
  if (scheduler.prediction_type != sdsegs.prediction_type ||
      scheduler.beta_schedule != sdsegs.beta_schedule) {
    log::warn(str("SDSeg's file does not say that this model predicts ",
                  enum_text(scheduler.prediction_type), " with betas ",
                  enum_text(scheduler.beta_schedule), ": whoever reads it takes ",
                  enum_text(sdsegs.prediction_type), " and ", enum_text(sdsegs.beta_schedule)));
  }
  const io::TensorMap tensors =
      io::to_sdseg({.unet = io::state_dict(*model.unet),
                    .autoencoder = io::state_dict(*model.autoencoder),
                    .latent_encoder = io::state_dict(*model.latent_encoder),
                    .scaling_factor = description.autoencoder.scaling_factor});
  replace_folder(to, [&](const fs::path& folder) {
    io::write_safetensors(folder / kSdsegWeights, stored_as(tensors, type));
  });
}

}  // namespace

std::optional<ModelDescription> export_weights(const fs::path& from, const fs::path& to,
                                               const SaveOptions& options) {
  const auto folder = find_folder(from, is_parts_folder);
  if (folder && is_autoencoder_folder(*folder)) {
    export_autoencoder(*folder / "vae", to, options);
    return std::nullopt;
  }
  if (is_teacher_folder(from)) {
    export_teacher(from, to, options);
    return std::nullopt;
  }
  const TrainingModel model = load_training_model(find_model_folder(from));
  if (options.format == FolderFormat::kSdseg) {
    export_sdseg(model, to, options.type);
  } else {
    save_model(to, model, options);
  }
  return model.description;
}

}  // namespace leaf
