#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"

namespace leaf {

/// What a model folder has beside the parts that every one has: what the published layout leaves to
/// the caller, and the decoder of a model whose decoder is not that of vae.
inline constexpr const char* kPreprocessingFile = "preprocessing.json";
inline constexpr const char* kDecoderFolder = "decoder";

/// In model_index.json: what `_class_name` is in ours, and the key for a teacher.
inline constexpr const char* kModelClass = "LeafPipeline";
inline constexpr const char* kOriginKey = "_distilled_from";

/// The JSON files of a model folder, to and from our configurations. Values follow the rules of the
/// configuration keys that they stand for; what a file says that we cannot do is refused. The
/// readers throw ConfigError, WeightsError or nlohmann::json::exception, to which parse_json adds
/// the file.

/// config.json of vae/, latent_encoder/ and decoder/: the reference's keys, plus ours.
nlohmann::json to_json(const models::AutoencoderConfig& config, const char* class_name,
                       double dropout);
models::AutoencoderConfig autoencoder_from_json(const nlohmann::json& content);

/// The only value of latent_encoder/config.json that `vae` does not state. Throws WeightsError
/// where another value is not the one in `vae`, since the two have the same networks.
double dropout_from_json(const nlohmann::json& content, const nlohmann::json& vae);

/// vae/config.json of diffusers' AutoencoderKL.
nlohmann::json diffusers_autoencoder_json(const models::AutoencoderConfig& config,
                                          std::int64_t resolution);

/// What other people's config.json files have in common with ours, where they state it.
void read_scaling_factor(const nlohmann::json& content, models::AutoencoderConfig& config);
void read_heads_and_dropout(const nlohmann::json& content, models::UNetConfig& config);
void read_dropout(const nlohmann::json& content, double& dropout);

/// unet/config.json
nlohmann::json to_json(const models::UNetConfig& config, std::int64_t image_size);
models::UNetConfig unet_from_json(const nlohmann::json& content);

/// scheduler/scheduler_config.json: diffusers' DDIMScheduler.
nlohmann::json to_json(const diffusion::SchedulerConfig& config);
diffusion::SchedulerConfig scheduler_from_json(const nlohmann::json& content);

/// The number of preprocessing.json's format.
inline constexpr int kPreprocessingFormat = 1;
/// preprocessing.json: what the published layout leaves to the caller.
nlohmann::json to_json(const Preprocessing& preprocessing);
Preprocessing preprocessing_from_json(const nlohmann::json& content);

/// model_index.json: which class reads which part, and what a light model learned from.
nlohmann::json model_index_json(const ModelDescription& description, bool diffusers_autoencoder);
std::optional<Origin> origin_from_json(const nlohmann::json& content);

/// A configuration key's text with each key replaced by the name and the file that it has in a
/// model folder: "num_heads (unet/config.json)".
std::string in_names_of_files(std::string text);

/// The JSON object in a file. Throws FileError for a file that cannot be read, WeightsError for one
/// that is no JSON object.
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
