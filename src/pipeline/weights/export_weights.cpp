#include "leaf/pipeline/export_weights.h"

#include <ATen/core/Tensor.h>

#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "models/autoencoder.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

void export_autoencoder(const fs::path& vae, const fs::path& to, const SaveOptions& options) {
  const auto config = parse_json(vae / "config.json", autoencoder_from_json);
  const auto autoencoder = models::make_autoencoder(config);
  load_part(*autoencoder, vae);
  save_autoencoder(to, *autoencoder, config, options);
}

void export_teacher(const fs::path& from, const fs::path& to, const SaveOptions& options) {
  if (options.format == FolderFormat::kDiffusers) {
    throw WeightsError(
        str("'", from.string(),
            "' is a teacher, for which diffusers has no names; leave out SaveOptions::format"));
  }
  save_teacher(to, read_json(from / "config.json"),
               stored_as(io::read_weights(from), options.type));
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
  save_model(to, model, options);
  return model.description;
}

}  // namespace leaf
