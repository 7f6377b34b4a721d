#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"

namespace leaf {

/// The JSON files of a model folder, to and from our configurations. The readers throw
/// ConfigError, WeightsError or nlohmann::json::exception, to which parse_json adds the file.

/// config.json of vae/, latent_encoder/ and decoder/: the reference's keys, plus ours.
nlohmann::json to_json(const models::AutoencoderConfig& config, const char* class_name,
                       double dropout);
models::AutoencoderConfig autoencoder_from_json(const nlohmann::json& content);

/// vae/config.json of diffusers' AutoencoderKL.
nlohmann::json diffusers_autoencoder_json(const models::AutoencoderConfig& config,
                                          std::int64_t resolution);

/// unet/config.json
nlohmann::json to_json(const models::UNetConfig& config, std::int64_t image_size);
models::UNetConfig unet_from_json(const nlohmann::json& content);

/// scheduler/scheduler_config.json: diffusers' DDIMScheduler.
nlohmann::json to_json(const diffusion::SchedulerConfig& config);
diffusion::SchedulerConfig scheduler_from_json(const nlohmann::json& content);

/// preprocessing.json: what the published layout leaves to the caller.
nlohmann::json to_json(const Preprocessing& preprocessing);
Preprocessing preprocessing_from_json(const nlohmann::json& content);

/// model_index.json: which class reads which part.
nlohmann::json model_index_json(bool tiny, bool diffusers_autoencoder, bool other_decoder);

/// FileError for a file that cannot be read, WeightsError for one that is not JSON.
nlohmann::json read_json(const std::filesystem::path& path);

/// Runs `parse` on the content of a JSON file; what is wrong with it names the file.
template <typename Parse>
auto parse_json(const std::filesystem::path& path, const Parse& parse) {
  const nlohmann::json content = read_json(path);
  try {
    return parse(content);
  } catch (const nlohmann::json::exception& failure) {
    throw WeightsError(str("'", path.string(), "': ", failure.what()));
  } catch (const Error& failure) {
    throw WeightsError(str("'", path.string(), "': ", failure.what()));
  }
}

}  // namespace leaf
