#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/model.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "nn/layers.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/split_autoencoder.h"
#include "pipeline/model/stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr double kNoDropout = 0.0;

const char* class_name(const models::AutoencoderConfig& config) {
  return config.type == models::AutoencoderType::kTiny ? "AutoencoderTiny" : "AutoencoderKL";
}

void write_part(const fs::path& folder, const io::TensorMap& tensors, const json& config,
                WeightType type) {
  make_folder(folder);
  write_json(folder / "config.json", config);
  io::write_safetensors(folder / io::kDiffusersWeights, stored_as(tensors, type));
}

io::TensorMap stored_parameters(const torch::nn::Module& module) {
  if (nn::is_packed(module)) {
    throw Error("a model that is prepared for inference cannot be saved: its weights are packed");
  }
  return io::state_dict(module);
}

/// The folder `vae`. diffusers' AutoencoderTiny has our names already, but no pooling blocks.
void write_vae(const fs::path& folder, const models::Autoencoder& autoencoder,
               const models::AutoencoderConfig& config, std::int64_t resolution,
               const SaveOptions& options) {
  const bool tiny = config.type == models::AutoencoderType::kTiny;
  const bool diffusers = options.format == FolderFormat::kDiffusers;
  if (diffusers && tiny && config.variant != models::TinyVariant::kTaesd) {
    throw WeightsError(str("diffusers has no autoencoder of the kind ", enum_text(config.variant)));
  }
  const models::AutoencoderConfig taesd;
  if (diffusers && tiny && (config.widths != taesd.widths || config.blocks != taesd.blocks)) {
    throw WeightsError(
        "tiny autoencoders of other widths than TAESD's are not written for diffusers");
  }
  const io::TensorMap tensors = stored_parameters(autoencoder);
  if (diffusers && !tiny) {
    write_part(folder, io::to_diffusers_autoencoder(tensors),
               diffusers_autoencoder_json(config, resolution), options.type);
  } else {
    write_part(folder, tensors, to_json(config, class_name(config), kNoDropout), options.type);
  }
}

void load_image_networks(Model& model, const fs::path& folder) {
  load_part(*model.latent_encoder, folder / "latent_encoder");
  load_part(*model.unet, folder / "unet");
}

/// Networks that are described wrongly may be too large for any memory.
template <typename MakeModel>
auto make_described(const MakeModel& make, const fs::path& folder) {
  const ModelDescription description = load_description(folder);
  try {
    return make(description);
  } catch (const c10::Error& failure) {
    const std::string_view reason = failure.what_without_backtrace();
    throw WeightsError(str("cannot make the networks that '", folder.string(),
                           "' describes: ", reason.substr(0, reason.find('\n'))));
  } catch (const std::bad_alloc&) {
    throw WeightsError(str("cannot make the networks that '", folder.string(),
                           "' describes: there is not enough memory"));
  }
}

}  // namespace

namespace {

/// What a path is that was given for a model folder.
std::string what_it_is(const fs::path& path) {
  std::error_code none;
  if (const auto autoencoder = find_folder(path, is_autoencoder_folder)) {
    return "an autoencoder alone, which a segmentation model is trained on";
  }
  if (is_parts_folder(path.parent_path())) {
    return str("a part of the model folder '", path.parent_path().string(), "'");
  }
  if (path.parent_path().filename() == "checkpoints") {
    return str("a checkpoint, which leaf_train goes on from; the run's model is in '",
               path.parent_path().parent_path().string(), "'");
  }
  std::vector<std::string> runs;
  for (const auto& entry : fs::directory_iterator(path, none)) {
    if (find_folder(entry.path(), [](const fs::path& f) { return fs::exists(f / "unet"); })) {
      runs.push_back(str("'", entry.path().string(), "'"));
    }
  }
  std::sort(runs.begin(), runs.end());
  return runs.empty() ? "" : "a folder that holds models: " + join(runs, ", ");
}

}  // namespace

fs::path find_model_folder(const fs::path& path) {
  if (!fs::is_directory(path)) {
    throw WeightsError(fs::exists(path) ? str("'", path.string(), "' is a file, not a model folder")
                                        : str("no model folder '", path.string(), "'"));
  }
  const auto has_unet = [](const fs::path& folder) { return fs::exists(folder / "unet"); };
  if (const auto folder = find_folder(path, has_unet)) {
    return *folder;
  }
  const std::string what = what_it_is(path.lexically_normal());
  throw WeightsError(str("'", path.string(),
                         "' is neither a model folder (it has no unet) nor a run folder with a "
                         "model in best or last",
                         what.empty() ? "" : ", but ", what));
}

Model load_model(const fs::path& folder) {
  Model model = make_described(make_inference_model, folder);
  load_image_networks(model, folder);
  if (model.description.decoder) {
    load_part(*model.decoder, folder / kDecoderFolder);
  } else {
    io::move_parameters(*model.decoder, split_autoencoder(io::read_weights(folder / "vae")).decoder,
                        (folder / "vae").string());
  }
  return model;
}

TrainingModel load_training_model(const fs::path& folder) {
  TrainingModel model = make_described(make_model, folder);
  load_image_networks(model, folder);
  load_part(*model.autoencoder, folder / "vae");
  if (model.description.decoder) {
    load_part(*model.decoder, folder / kDecoderFolder);
  }
  return model;
}

void save_model(const fs::path& folder, const TrainingModel& model, const SaveOptions& options) {
  const ModelDescription& description = model.description;
  const bool diffusers = options.format == FolderFormat::kDiffusers;
  const std::int64_t latent_size =
      description.preprocessing.resolution / models::downsampling(description.autoencoder);
  replace_folder(folder, [&](const fs::path& target) {
    write_json(target / "model_index.json", model_index_json(description, diffusers));
    write_json(target / kPreprocessingFile, to_json(description.preprocessing));
    make_folder(target / "scheduler");
    write_json(target / "scheduler/scheduler_config.json", to_json(description.scheduler));
    write_vae(target / "vae", *model.autoencoder, description.autoencoder,
              description.preprocessing.resolution, options);
    write_part(
        target / "latent_encoder", stored_parameters(*model.latent_encoder),
        to_json(description.autoencoder, "LatentEncoder", description.latent_encoder_dropout),
        options.type);
    write_part(target / "unet", stored_parameters(*model.unet),
               to_json(description.unet, latent_size), options.type);
    if (description.decoder) {
      write_part(target / kDecoderFolder, stored_parameters(*model.decoder),
                 to_json(*description.decoder, class_name(*description.decoder), kNoDropout),
                 options.type);
    }
  });
}

void set_threshold(const fs::path& folder, double threshold) {
  Preprocessing preprocessing = load_description(folder).preprocessing;
  preprocessing.threshold = threshold;
  write_json(folder / kPreprocessingFile, to_json(preprocessing));
}

void save_autoencoder(const fs::path& folder, const models::Autoencoder& autoencoder,
                      const models::AutoencoderConfig& config, const SaveOptions& options) {
  replace_folder(folder, [&](const fs::path& target) {
    write_vae(target / "vae", autoencoder, config, Preprocessing{}.resolution, options);
  });
}

}  // namespace leaf
