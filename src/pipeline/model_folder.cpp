#include <nlohmann/json.hpp>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/nn/layers.h"
#include "leaf/pipeline/model.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr const char* kWeightsFile = "diffusion_pytorch_model.safetensors";
constexpr const char* kPreprocessingFile = "preprocessing.json";
constexpr int kFormatVersion = 1;

json read_json(const fs::path& path) {
  try {
    return json::parse(read_file(path));
  } catch (const json::exception& failure) {
    throw WeightsError(str("'", path.string(), "' is not valid JSON: ", failure.what()));
  }
}

/// Runs `parse` on the content of a JSON file; what is wrong with it names the file.
template <typename Parse>
auto parse_json(const fs::path& path, const Parse& parse) {
  const json content = read_json(path);
  try {
    return parse(content);
  } catch (const json::exception& failure) {
    throw WeightsError(str("'", path.string(), "': ", failure.what()));
  } catch (const Error& failure) {
    throw WeightsError(str("'", path.string(), "': ", failure.what()));
  }
}

// ---- vae/config.json and latent_encoder/config.json: the reference's keys, plus ours ----

json to_json(const models::AutoencoderConfig& config, const char* class_name, double dropout) {
  if (config.type == models::AutoencoderType::kTiny) {
    return {{"_class_name", class_name},
            {"variant", enum_text(config.variant)},
            {"latent_channels", config.latent_channels}};
  }
  return {{"_class_name", class_name},
          {"ch", config.ch},
          {"ch_mult", config.ch_mult},
          {"num_res_blocks", config.num_res_blocks},
          {"z_channels", config.latent_channels},
          {"embed_dim", config.latent_channels},
          {"attn_resolutions", json::array()},
          {"double_z", true},
          {"in_channels", 3},
          {"out_ch", 3},
          {"resolution", 256},
          {"dropout", dropout},
          {"scaling_factor", config.scaling_factor}};
}

models::AutoencoderConfig autoencoder_from_json(const json& content) {
  models::AutoencoderConfig config;
  if (content.at("_class_name") == "AutoencoderTiny") {
    config.type = models::AutoencoderType::kTiny;
    config.latent_channels = content.at("latent_channels");
    config.variant = parse_enum<models::TinyVariant>(content.value("variant", "taesd"), "variant");
    return config;
  }
  if (!content.value("attn_resolutions", json::array()).empty()) {
    throw WeightsError("attn_resolutions is not supported; KL-8 has none");
  }
  if (content.value("embed_dim", 4) != content.value("z_channels", 4)) {
    throw WeightsError("embed_dim and z_channels must be equal");
  }
  config.ch = content.value("ch", config.ch);
  config.ch_mult = content.value("ch_mult", config.ch_mult);
  config.num_res_blocks = content.value("num_res_blocks", config.num_res_blocks);
  config.latent_channels = content.value("z_channels", config.latent_channels);
  config.scaling_factor = content.value("scaling_factor", config.scaling_factor);
  return config;
}

// ---- unet/config.json ----

json to_json(const models::UNetConfig& config, std::int64_t image_size) {
  return {{"_class_name", "UNetModel"},
          {"image_size", image_size},
          {"in_channels", config.in_channels},
          {"out_channels", config.out_channels},
          {"model_channels", config.model_channels},
          {"channel_mult", config.channel_mult},
          {"num_res_blocks", config.num_res_blocks},
          {"attention_resolutions", config.attention_resolutions},
          {"num_heads", config.num_heads},
          {"dropout", config.dropout},
          {"use_scale_shift_norm", true},
          {"resblock_updown", true}};
}

models::UNetConfig unet_from_json(const json& content) {
  if (!content.value("use_scale_shift_norm", false) || !content.value("resblock_updown", false)) {
    throw WeightsError("only use_scale_shift_norm and resblock_updown networks are supported");
  }
  models::UNetConfig config;
  config.in_channels = content.at("in_channels");
  config.out_channels = content.at("out_channels");
  config.model_channels = content.at("model_channels");
  config.channel_mult = content.at("channel_mult").get<std::vector<std::int64_t>>();
  config.num_res_blocks = content.at("num_res_blocks");
  config.attention_resolutions =
      content.at("attention_resolutions").get<std::vector<std::int64_t>>();
  config.num_heads = content.at("num_heads");
  config.dropout = content.value("dropout", 0.0);
  return config;
}

// ---- scheduler/scheduler_config.json: diffusers' DDIMScheduler ----

json to_json(const diffusion::SchedulerConfig& config) {
  return {{"_class_name", "DDIMScheduler"},
          {"beta_schedule", enum_text(config.beta_schedule)},
          {"beta_start", config.beta_start},
          {"beta_end", config.beta_end},
          {"num_train_timesteps", config.num_train_timesteps},
          {"prediction_type", enum_text(config.prediction_type)},
          {"clip_sample", config.clip_sample},
          {"clip_sample_range", config.clip_sample_range},
          {"set_alpha_to_one", config.set_alpha_to_one},
          {"steps_offset", config.steps_offset},
          {"timestep_spacing", enum_text(config.timestep_spacing)},
          {"rescale_betas_zero_snr", false},
          {"thresholding", false},
          {"trained_betas", nullptr}};
}

diffusion::SchedulerConfig scheduler_from_json(const json& content) {
  diffusion::SchedulerConfig config;
  config.beta_schedule =
      parse_enum<diffusion::BetaSchedule>(content.at("beta_schedule"), "beta_schedule");
  config.beta_start = content.at("beta_start");
  config.beta_end = content.at("beta_end");
  config.num_train_timesteps = content.at("num_train_timesteps");
  config.prediction_type =
      parse_enum<diffusion::PredictionType>(content.at("prediction_type"), "prediction_type");
  config.clip_sample = content.value("clip_sample", true);
  config.clip_sample_range = content.value("clip_sample_range", 1.0);
  config.set_alpha_to_one = content.value("set_alpha_to_one", true);
  config.steps_offset = content.value("steps_offset", 0);
  config.timestep_spacing = parse_enum<diffusion::TimestepSpacing>(
      content.value("timestep_spacing", "leading"), "timestep_spacing");
  if (content.value("thresholding", false) || content.value("rescale_betas_zero_snr", false)) {
    throw WeightsError("thresholding and rescale_betas_zero_snr are not supported");
  }
  return config;
}

// ---- preprocessing.json: what the published layout leaves to the caller ----

json to_json(const Preprocessing& preprocessing) {
  return {{"format_version", kFormatVersion},
          {"resolution", preprocessing.resolution},
          {"channel_order", "RGB"},
          {"image_range", {0, 1}},
          {"resize", "bilinear, antialiased"},
          {"threshold", preprocessing.threshold},
          {"classes", preprocessing.classes}};
}

Preprocessing preprocessing_from_json(const json& content) {
  if (content.value("format_version", 1) > kFormatVersion) {
    throw WeightsError("written by a newer version of leaf");
  }
  Preprocessing preprocessing;
  preprocessing.resolution = content.at("resolution");
  preprocessing.threshold = content.at("threshold");
  preprocessing.classes = content.value("classes", preprocessing.classes);
  return preprocessing;
}

// ---- the folder ----

void require_part(const fs::path& folder, const char* part) {
  if (!fs::exists(folder / part)) {
    throw WeightsError(str("'", folder.string(), "' is not a model folder: it has no ", part));
  }
}

void write_json(const fs::path& path, const json& content) {
  write_file(path, content.dump(2) + "\n");
}

void write_part(const fs::path& folder, const torch::nn::Module& module, const json& config) {
  if (nn::is_packed(module)) {
    throw Error("a model that is prepared for inference cannot be saved: its weights are packed");
  }
  make_folder(folder);
  write_json(folder / "config.json", config);
  io::write_safetensors(folder / kWeightsFile, io::state_dict(module));
}

void write_vae(const fs::path& folder, const models::Autoencoder& autoencoder,
               const models::AutoencoderConfig& config) {
  const bool tiny = config.type == models::AutoencoderType::kTiny;
  write_part(folder, autoencoder,
             to_json(config, tiny ? "AutoencoderTiny" : "AutoencoderKL", /*dropout=*/0.0));
}

json model_index(bool tiny) {
  const char* vae = tiny ? "AutoencoderTiny" : "AutoencoderKL";
  return {{"_class_name", "LeafPipeline"},
          {"latent_encoder", {"leaf.autoencoder", "LatentEncoder"}},
          {"scheduler", {"diffusers", "DDIMScheduler"}},
          {"unet", {"leaf.unet", "UNetModel"}},
          {"vae", {tiny ? "diffusers" : "leaf.autoencoder", vae}}};
}

}  // namespace

fs::path find_model_folder(const fs::path& path) {
  if (!fs::is_directory(path)) {
    throw WeightsError(str("no model folder '", path.string(), "'"));
  }
  if (fs::exists(path / "unet")) {
    return path;
  }
  for (const char* name : {"best", "last"}) {
    if (fs::exists(path / name / "unet")) {
      return path / name;
    }
  }
  throw WeightsError(
      str("'", path.string(),
          "' is neither a model folder (it has no unet) nor a run folder with a model "
          "in best or last"));
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
  if (fs::exists(folder / "latent_encoder/config.json")) {
    description.latent_encoder_dropout =
        parse_json(folder / "latent_encoder/config.json",
                   [](const json& content) { return content.value("dropout", 0.0); });
  }
  if (fs::exists(folder / kPreprocessingFile)) {
    description.preprocessing = parse_json(folder / kPreprocessingFile, preprocessing_from_json);
  } else {
    log::info(str("'", folder.string(), "' has no preprocessing.json; using the published one: ",
                  description.preprocessing.resolution, " px, threshold ",
                  description.preprocessing.threshold));
  }
  return description;
}

void load_part(torch::nn::Module& module, const fs::path& path) {
  io::load_parameters(module, io::read_weights(path), path.string());
}

Model load_model(const fs::path& folder) {
  Model model = make_model(load_description(folder));
  const auto adopt = [&](torch::nn::Module& module, const char* part) {
    io::adopt_parameters(module, io::read_weights(folder / part), (folder / part).string());
  };
  adopt(*model.autoencoder, "vae");
  adopt(*model.latent_encoder, "latent_encoder");
  adopt(*model.unet, "unet");
  return model;
}

void save_model(const fs::path& folder, const Model& model) {
  const ModelDescription& description = model.description;
  const bool tiny = description.autoencoder.type == models::AutoencoderType::kTiny;
  replace_folder(folder, [&](const fs::path& target) {
    write_json(target / "model_index.json", model_index(tiny));
    write_json(target / kPreprocessingFile, to_json(description.preprocessing));
    make_folder(target / "scheduler");
    write_json(target / "scheduler/scheduler_config.json", to_json(description.scheduler));
    write_vae(target / "vae", *model.autoencoder, description.autoencoder);
    write_part(
        target / "latent_encoder", *model.latent_encoder,
        to_json(description.autoencoder, "LatentEncoder", description.latent_encoder_dropout));
    write_part(target / "unet", *model.unet,
               to_json(description.unet, description.preprocessing.resolution /
                                             models::downsampling(description.autoencoder)));
  });
}

void save_autoencoder(const fs::path& folder, const models::Autoencoder& autoencoder,
                      const models::AutoencoderConfig& config) {
  replace_folder(folder,
                 [&](const fs::path& target) { write_vae(target / "vae", autoencoder, config); });
}

}  // namespace leaf
