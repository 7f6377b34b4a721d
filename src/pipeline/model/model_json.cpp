#include "pipeline/model/model_json.h"

#include "diffusion/sampler.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/files.h"

namespace leaf {
using nlohmann::json;
namespace {

constexpr int kFormatVersion = 1;

}  // namespace

json read_json(const std::filesystem::path& path) {
  try {
    return json::parse(read_file(path));
  } catch (const json::exception& failure) {
    throw WeightsError(str("'", path.string(), "' is not valid JSON: ", failure.what()));
  }
}

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

json diffusers_autoencoder_json(const models::AutoencoderConfig& config, std::int64_t resolution) {
  std::vector<std::int64_t> widths;
  for (const std::int64_t factor : config.ch_mult) {
    widths.push_back(config.ch * factor);
  }
  const std::size_t levels = widths.size();
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"block_out_channels", widths},
          {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
          {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")},
          {"in_channels", 3},
          {"out_channels", 3},
          {"latent_channels", config.latent_channels},
          {"layers_per_block", config.num_res_blocks},
          {"norm_num_groups", models::kNormGroups},
          {"sample_size", resolution},
          {"scaling_factor", config.scaling_factor}};
}

models::AutoencoderConfig autoencoder_from_json(const json& content) {
  models::AutoencoderConfig config;
  if (content.contains("block_out_channels")) {
    throw WeightsError("it is diffusers' AutoencoderKL; `leaf_convert import` takes such a folder");
  }
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

json to_json(const diffusion::SchedulerConfig& config) {
  return {{"_class_name", config.sampler},
          {"beta_schedule", enum_text(config.beta_schedule)},
          {"beta_start", config.beta_start},
          {"beta_end", config.beta_end},
          {"num_train_timesteps", config.num_train_timesteps},
          {"prediction_type", enum_text(config.prediction_type)},
          {"clip_sample", config.clip_sample},
          {"clip_sample_range", config.clip_sample_range},
          {"set_alpha_to_one", config.ddim.set_alpha_to_one},
          {"steps_offset", config.ddim.steps_offset},
          {"timestep_spacing", enum_text(config.ddim.timestep_spacing)},
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
  // Schedulers of training, which folders of others name, mean what DDIM samples too.
  if (const std::string name = content.value("_class_name", config.sampler);
      diffusion::find_sampler(name) != nullptr) {
    config.sampler = name;
  }
  config.clip_sample = content.value("clip_sample", true);
  config.clip_sample_range = content.value("clip_sample_range", 1.0);
  config.ddim.set_alpha_to_one = content.value("set_alpha_to_one", true);
  config.ddim.steps_offset = content.value("steps_offset", 0);
  config.ddim.timestep_spacing = parse_enum<diffusion::TimestepSpacing>(
      content.value("timestep_spacing", "leading"), "timestep_spacing");
  if (content.value("thresholding", false) || content.value("rescale_betas_zero_snr", false)) {
    throw WeightsError("thresholding and rescale_betas_zero_snr are not supported");
  }
  return config;
}

json to_json(const Preprocessing& preprocessing) {
  json content{{"format_version", kFormatVersion},
               {"resolution", preprocessing.resolution},
               {"channel_order", "RGB"},
               {"image_range", {0, 1}},
               {"resize", "bilinear, antialiased"},
               {"threshold", preprocessing.threshold},
               {"classes", preprocessing.classes}};
  content["intensity"] = enum_text(preprocessing.intensity.rule);
  if (preprocessing.intensity.rule == data::IntensityRule::kWindow) {
    content["window"] = {preprocessing.intensity.low, preprocessing.intensity.high};
  }
  if (preprocessing.num_inference_steps > 0) {
    content["num_inference_steps"] = preprocessing.num_inference_steps;
  }
  return content;
}

/// Folders of before there was a choice have the full range.
data::Intensity intensity_from_json(const json& content) {
  data::Intensity intensity;
  intensity.rule = parse_enum<data::IntensityRule>(content.value("intensity", "full"), "intensity");
  if (intensity.rule == data::IntensityRule::kWindow) {
    intensity.low = content.at("window").at(0);
    intensity.high = content.at("window").at(1);
    if (!(intensity.low < intensity.high)) {
      throw WeightsError("window must be two numbers, the smaller first");
    }
  }
  return intensity;
}

Preprocessing preprocessing_from_json(const json& content) {
  if (content.value("format_version", 1) > kFormatVersion) {
    throw WeightsError("written by a newer version of leaf");
  }
  Preprocessing preprocessing;
  preprocessing.resolution = content.at("resolution");
  preprocessing.threshold = content.at("threshold");
  preprocessing.classes = content.value("classes", preprocessing.classes);
  preprocessing.num_inference_steps = content.value("num_inference_steps", std::int64_t{0});
  preprocessing.intensity = intensity_from_json(content);
  if (preprocessing.num_inference_steps < 0) {
    throw WeightsError("num_inference_steps must be 1 or more");
  }
  return preprocessing;
}

json model_index_json(bool tiny, bool diffusers_autoencoder, bool other_decoder) {
  const char* vae = tiny ? "AutoencoderTiny" : "AutoencoderKL";
  json index{{"_class_name", "LeafPipeline"},
             {"latent_encoder", {"leaf.autoencoder", "LatentEncoder"}},
             {"scheduler", {"diffusers", "DDIMScheduler"}},
             {"unet", {"leaf.unet", "UNetModel"}},
             {"vae", {tiny || diffusers_autoencoder ? "diffusers" : "leaf.autoencoder", vae}}};
  if (other_decoder) {
    index["decoder"] = {"leaf.autoencoder", "LatentDecoder"};
  }
  return index;
}

}  // namespace leaf
