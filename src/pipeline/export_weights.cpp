#include "leaf/pipeline/export_weights.h"

#include <ATen/core/Tensor.h>

#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "model_json.h"
#include "stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// A folder with `vae/` and no other part of a model: the given one or, in a run folder, `best` or
/// else `last`.
std::optional<fs::path> find_autoencoder(const fs::path& path) {
  for (const fs::path& folder : {path, path / "best", path / "last"}) {
    if (fs::exists(folder / "unet") || fs::exists(folder / "model_index.json")) {
      return std::nullopt;
    }
    if (fs::exists(folder / "vae/config.json")) {
      return folder;
    }
  }
  return std::nullopt;
}

bool is_teacher(const fs::path& folder) {
  const fs::path config = folder / "config.json";
  return fs::is_regular_file(config) && parse_json(config, [](const nlohmann::json& content) {
           return content.value("_class_name", "") == kTeacherClass;
         });
}

void export_autoencoder(const fs::path& vae, const fs::path& to, const SaveOptions& options) {
  const auto config = parse_json(vae / "config.json", autoencoder_from_json);
  const auto autoencoder = models::make_autoencoder(config);
  io::adopt_parameters(*autoencoder, io::read_weights(vae), vae.string());
  save_autoencoder(to, *autoencoder, config, options);
}

void export_teacher(const fs::path& from, const fs::path& to, const SaveOptions& options) {
  if (options.format == FolderFormat::kDiffusers) {
    throw WeightsError(str("'", from.string(),
                           "' is a teacher, for which diffusers has no names; leave out --format"));
  }
  save_teacher(to, read_json(from / "config.json"),
               stored_as(io::read_weights(from), options.type));
}

}  // namespace

std::optional<ModelDescription> export_weights(const fs::path& from, const fs::path& to,
                                               const SaveOptions& options) {
  if (const auto folder = find_autoencoder(from)) {
    export_autoencoder(*folder / "vae", to, options);
    return std::nullopt;
  }
  if (is_teacher(from)) {
    export_teacher(from, to, options);
    return std::nullopt;
  }
  const Model model = load_model(find_model_folder(from));
  save_model(to, model, options);
  return model.description;
}

}  // namespace leaf
