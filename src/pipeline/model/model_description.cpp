#include <cstdint>
#include <filesystem>

#include "config/check.h"
#include "config/schema.h"
#include "leaf/config/config.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"
#include "pipeline/model/model_json.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

void require_part(const fs::path& folder, const char* part) {
  if (!fs::exists(folder / part)) {
    throw WeightsError(str("'", folder.string(), "' is not a model folder: it has no ", part));
  }
}

/// The configuration that such a model could be trained from.
Config config_of(const ModelDescription& description) {
  Config config;
  config.model.autoencoder = description.autoencoder;
  config.model.unet = description.unet;
  config.model.latent_encoder_dropout = description.latent_encoder_dropout;
  config.diffusion.scheduler = description.scheduler;
  config.data.resolution = description.preprocessing.resolution;
  config.data.intensity = description.preprocessing.intensity;
  config.data.slice_axis = description.preprocessing.slice_axis.value_or(config.data.slice_axis);
  config.data.classes = description.preprocessing.classes;
  config.validation.threshold = description.preprocessing.threshold;
  if (description.preprocessing.num_inference_steps != 0) {
    config.validation.num_inference_steps = description.preprocessing.num_inference_steps;
  }
  if (description.preprocessing.last_timestep_alone) {
    config.diffusion.training_timesteps = TrainingTimesteps::kLast;
  }
  config.alignment.teacher = "none";
  return config;
}

void check_channels(const ModelDescription& description) {
  const std::int64_t latent = description.autoencoder.latent_channels;
  const models::UNetConfig& unet = description.unet;
  if (unet.in_channels != 2 * latent || unet.out_channels != latent) {
    throw ConfigError(str("the U-Net has in_channels ", unet.in_channels, " and out_channels ",
                          unet.out_channels, " (unet/config.json), but latents of ", latent,
                          " channels (vae/config.json) need ", 2 * latent, " and ", latent));
  }
}

void check_values(Config config) {
  for (const config::Field& field : config::schema(config)) {
    assign(field, field.get(), field.key);
  }
  if (const auto problem = config::find_problem(config)) {
    throw ConfigError(problem->message);
  }
}

/// The decoder of a model that has one of its own follows the rules of vae.
void check_decoder(const ModelDescription& description) {
  ModelDescription alone = description;
  alone.autoencoder = *description.decoder;
  try {
    check_values(config_of(alone));
  } catch (const ConfigError& failure) {
    throw ConfigError(str("of the decoder: ", failure.what()));
  }
}

/// model_index.json says which class each part has; so do the parts.
void check_index(const fs::path& folder) {
  const auto check_part = [&](const json& index, const char* part, const char* file) {
    const json stated = index.value(part, json());
    const json own = read_json(folder / file).value("_class_name", json());
    if (!stated.is_null() && (!stated.is_array() || stated.size() != 2)) {
      throw WeightsError(str(part, " expects a list of a library and a class"));
    }
    if (stated.is_array() && own.is_string() && stated[1] != own) {
      throw WeightsError(str(part, " is ", printable(stated[1].dump()), ", but in ", file, " ",
                             printable(own.dump())));
    }
  };
  if (fs::exists(folder / "model_index.json")) {
    parse_json(folder / "model_index.json", [&](const json& index) {
      check_part(index, "vae", "vae/config.json");
      check_part(index, "unet", "unet/config.json");
      check_part(index, "scheduler", "scheduler/scheduler_config.json");
    });
  }
}

std::optional<Origin> read_origin(const fs::path& folder) {
  const fs::path file = folder / "model_index.json";
  return fs::exists(file) ? parse_json(file, origin_from_json) : std::nullopt;
}

double read_latent_encoder(const fs::path& folder) {
  const fs::path file = folder / "latent_encoder/config.json";
  if (!fs::exists(file)) {
    return ModelDescription{}.latent_encoder_dropout;
  }
  return parse_json(file, [&](const json& content) {
    return dropout_from_json(content, read_json(folder / "vae/config.json"));
  });
}

Preprocessing read_preprocessing(const fs::path& folder) {
  const fs::path file = folder / kPreprocessingFile;
  if (fs::exists(file)) {
    return parse_json(file, preprocessing_from_json);
  }
  const Preprocessing published;
  log::info(str("'", folder.string(), "' has no preprocessing.json; using the published one: ",
                published.resolution, " px, threshold ", published.threshold));
  return published;
}

}  // namespace

void check_description(const ModelDescription& description) {
  check_values(config_of(description));
  check_channels(description);
  if (description.decoder) {
    check_decoder(description);
  }
}

ModelDescription load_description(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw WeightsError(str("no model folder '", folder.string(), "'"));
  }
  for (const char* part :
       {"unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"}) {
    require_part(folder, part);
  }
  ModelDescription description;
  description.autoencoder = parse_json(folder / "vae/config.json", autoencoder_from_json);
  description.unet = parse_json(folder / "unet/config.json", unet_from_json);
  description.scheduler =
      parse_json(folder / "scheduler/scheduler_config.json", scheduler_from_json);
  description.latent_encoder_dropout = read_latent_encoder(folder);
  if (fs::exists(folder / kDecoderFolder / "config.json")) {
    description.decoder =
        parse_json(folder / kDecoderFolder / "config.json", autoencoder_from_json);
  }
  description.preprocessing = read_preprocessing(folder);
  check_index(folder);
  description.distilled_from = read_origin(folder);
  try {
    check_description(description);
  } catch (const ConfigError& failure) {
    throw WeightsError(str("'", folder.string(), "': ", in_names_of_files(failure.what())));
  }
  return description;
}

}  // namespace leaf
