#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/sampler.h"
#include "pipeline/model/json_keys.h"
#include "pipeline/model/model_json.h"

namespace leaf {
using nlohmann::json;
namespace {

constexpr std::array kKlKeys{JsonKey{"ch", "model.autoencoder.ch"},
                             JsonKey{"ch_mult", "model.autoencoder.ch_mult"},
                             JsonKey{"num_res_blocks", "model.autoencoder.num_res_blocks"},
                             JsonKey{"z_channels", "model.autoencoder.latent_channels"},
                             JsonKey{"scaling_factor", "model.autoencoder.scaling_factor"}};
constexpr std::array kTinyKeys{
    JsonKey{"latent_channels", "model.autoencoder.latent_channels", true},
    JsonKey{"variant", "model.autoencoder.variant"}, JsonKey{"widths", "model.autoencoder.widths"},
    JsonKey{"blocks", "model.autoencoder.blocks"}};
constexpr std::array kUNetKeys{
    JsonKey{"model_channels", "model.unet.model_channels", true},
    JsonKey{"channel_mult", "model.unet.channel_mult", true},
    JsonKey{"num_res_blocks", "model.unet.num_res_blocks", true},
    JsonKey{"attention_resolutions", "model.unet.attention_resolutions", true},
    JsonKey{"num_heads", "model.unet.num_heads", true},
    JsonKey{"dropout", "model.unet.dropout"}};
constexpr std::array kEncoderKeys{JsonKey{"dropout", "model.latent_encoder.dropout"}};
constexpr std::array kSchedulerKeys{
    JsonKey{"beta_schedule", "diffusion.beta_schedule", true},
    JsonKey{"beta_start", "diffusion.beta_start", true},
    JsonKey{"beta_end", "diffusion.beta_end", true},
    JsonKey{"num_train_timesteps", "diffusion.num_train_timesteps", true},
    JsonKey{"prediction_type", "diffusion.prediction_type", true},
    JsonKey{"clip_sample", "diffusion.clip_sample"},
    JsonKey{"clip_sample_range", "diffusion.clip_sample_range"},
    JsonKey{"set_alpha_to_one", "diffusion.set_alpha_to_one"},
    JsonKey{"steps_offset", "diffusion.steps_offset"},
    JsonKey{"timestep_spacing", "diffusion.timestep_spacing"}};
constexpr std::array kPreprocessingKeys{
    JsonKey{"resolution", "data.resolution", true},
    JsonKey{"threshold", "validation.threshold", true},
    JsonKey{"intensity", "data.intensity"},
    JsonKey{"window", "data.window"},
    JsonKey{"slice_axis", "data.slice_axis"},
    JsonKey{"classes", "data.classes"},
    JsonKey{"class_coding", "data.class_coding"},
    JsonKey{"num_inference_steps", "validation.num_inference_steps"},
    JsonKey{"training_timesteps", "diffusion.training_timesteps"}};

/// All of them with their files, longer keys before those that they begin with.
struct FileKey {
  std::string_view key, name, file;
};
std::vector<FileKey> file_keys() {
  std::vector<FileKey> all;
  const auto add = [&](std::span<const JsonKey> keys, const char* file) {
    for (const JsonKey& key : keys) {
      all.push_back({key.key, key.name, file});
    }
  };
  add(kKlKeys, "vae/config.json");
  add(kTinyKeys, "vae/config.json");
  add(kUNetKeys, "unet/config.json");
  add(kEncoderKeys, "latent_encoder/config.json");
  add(kSchedulerKeys, "scheduler/scheduler_config.json");
  add(kPreprocessingKeys, "preprocessing.json");
  std::stable_sort(all.begin(), all.end(),
                   [](const FileKey& a, const FileKey& b) { return a.key.size() > b.key.size(); });
  return all;
}

bool is_tiny(const json& vae) { return vae.value("_class_name", json()) == "AutoencoderTiny"; }

void check_format_version(const json& content) {
  const json version = content.value("format_version", json(1));
  if (!version.is_number_integer() || version < 1) {
    throw WeightsError("format_version expects a whole number >= 1");
  }
  if (version > kPreprocessingFormat) {
    throw WeightsError("written by a newer version of leaf");
  }
}

}  // namespace

std::string in_names_of_files(std::string text) {
  for (const auto& [key, name, file] : file_keys()) {
    const std::string in_file = str(name, " (", file, ")");
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
      text.replace(at, key.size(), in_file);
      at += in_file.size();
    }
  }
  return text;
}

models::AutoencoderConfig autoencoder_from_json(const json& content) {
  if (content.contains("block_out_channels")) {
    throw WeightsError("it is diffusers' AutoencoderKL; leaf::import_weights takes such a folder");
  }
  Config config;
  models::AutoencoderConfig& autoencoder = config.model.autoencoder;
  if (is_tiny(content)) {
    autoencoder.type = models::AutoencoderType::kTiny;
    read_keys(content, kTinyKeys, config);
    return autoencoder;
  }
  require_fixed(content, {{"_class_name", "AutoencoderKL"},
                          {"attn_resolutions", json::array()},
                          {"double_z", true},
                          {"in_channels", 3},
                          {"out_ch", 3}});
  read_keys(content, kKlKeys, config);
  if (content.value("embed_dim", autoencoder.latent_channels) != autoencoder.latent_channels) {
    throw WeightsError("embed_dim and z_channels must be equal");
  }
  return autoencoder;
}

double dropout_from_json(const json& content, const json& vae) {
  for (const auto& [name, value] : content.items()) {
    const bool own = name.starts_with("_") || name == "dropout" || name == "resolution";
    if (!own && vae.contains(name) && vae.at(name) != value) {
      throw WeightsError(str(printable(name), " is ", printable(value.dump()),
                             ", but in vae/config.json ", printable(vae.at(name).dump())));
    }
  }
  double dropout = 0.0;
  read_dropout(content, dropout);
  return dropout;
}

void read_scaling_factor(const json& content, models::AutoencoderConfig& config) {
  Config read;
  read.model.autoencoder = config;
  read_keys(content, std::array{JsonKey{"scaling_factor", "model.autoencoder.scaling_factor"}},
            read);
  config = read.model.autoencoder;
}

void read_heads_and_dropout(const json& content, models::UNetConfig& config) {
  Config read;
  read.model.unet = config;
  if (content.value("num_heads", json(-1)) != -1) {  // the reference's way to state none
    read_keys(content, std::array{JsonKey{"num_heads", "model.unet.num_heads"}}, read);
  }
  read_keys(content, std::array{JsonKey{"dropout", "model.unet.dropout"}}, read);
  config = read.model.unet;
}

void read_dropout(const json& content, double& dropout) {
  Config read;
  read.model.latent_encoder_dropout = dropout;
  read_keys(content, kEncoderKeys, read);
  dropout = read.model.latent_encoder_dropout;
}

models::UNetConfig unet_from_json(const json& content) {
  if (content.value("use_scale_shift_norm", json(false)) != true ||
      content.value("resblock_updown", json(false)) != true) {
    throw WeightsError("only use_scale_shift_norm and resblock_updown networks are supported");
  }
  require_fixed(content, {{"_class_name", "UNetModel"},
                          {"conv_resample", true},
                          {"num_classes", nullptr},
                          {"num_head_channels", -1},
                          {"num_heads_upsample", -1},
                          {"use_new_attention_order", false}});
  Config config;
  read_keys(content, kUNetKeys, config);
  models::UNetConfig unet = config.model.unet;
  for (const auto& [name, channels] : {std::pair{"in_channels", &unet.in_channels},
                                       std::pair{"out_channels", &unet.out_channels}}) {
    if (!content.at(name).is_number_integer()) {
      throw WeightsError(str(name, " expects a whole number"));
    }
    *channels = content.at(name);
  }
  return unet;
}

diffusion::SchedulerConfig scheduler_from_json(const json& content) {
  require_fixed(
      content,
      {{"thresholding", false}, {"rescale_betas_zero_snr", false}, {"trained_betas", nullptr}});
  Config config;
  diffusion::SchedulerConfig& scheduler = config.diffusion.scheduler;
  // Schedulers of training, which folders of others name, mean what DDIM samples too.
  if (const std::string name = content.value("_class_name", scheduler.sampler);
      diffusion::find_sampler(name) != nullptr) {
    scheduler.sampler = name;
  }
  read_keys(content, kSchedulerKeys, config);
  return scheduler;
}

Preprocessing preprocessing_from_json(const json& content) {
  check_format_version(content);
  require_fixed(
      content,
      {{"channel_order", "RGB"}, {"image_range", {0, 1}}, {"resize", "bilinear, antialiased"}});
  Config config;
  read_keys(content, kPreprocessingKeys, config);
  Preprocessing preprocessing;
  preprocessing.resolution = config.data.resolution;
  preprocessing.threshold = config.validation.threshold;
  preprocessing.intensity = config.data.intensity;
  preprocessing.classes = config.data.classes;
  if (content.contains("slice_axis")) {
    preprocessing.slice_axis = config.data.slice_axis;
  }
  if (content.contains("num_inference_steps")) {
    preprocessing.num_inference_steps = config.validation.num_inference_steps;
  }
  preprocessing.last_timestep_alone =
      config.diffusion.training_timesteps == TrainingTimesteps::kLast;
  return preprocessing;
}

std::optional<Origin> origin_from_json(const json& content) {
  const json origin = content.value(kOriginKey, json());
  if (origin.is_null()) {
    return std::nullopt;
  }
  const auto text = [&](const char* name) {
    return origin.is_object() && origin.contains(name) && origin.at(name).is_string()
               ? origin.at(name).get<std::string>()
               : std::string();
  };
  const Origin found{.model = text("model"), .sha256 = text("sha256")};
  constexpr std::size_t kDigits = 64;
  const bool is_hash = found.sha256.size() == kDigits &&
                       found.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (found.model.empty() || !is_hash) {
    throw WeightsError(
        str(kOriginKey, " expects an object with the text model and a SHA-256 in sha256"));
  }
  return found;
}

}  // namespace leaf
