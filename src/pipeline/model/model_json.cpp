#include "pipeline/model/model_json.h"

#include <cstdint>
#include <vector>

#include "io/json_util.h"
#include "leaf/config/config.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/files.h"

namespace leaf {
using nlohmann::json;

json read_json(const std::filesystem::path& path) {
  return io::parse_json_object(read_small_file(path), path);
}

json to_json(const models::AutoencoderConfig& config, const char* class_name, double dropout) {
  if (config.type == models::AutoencoderType::kTiny) {
    return {{"_class_name", class_name},
            {"variant", enum_text(config.variant)},
            {"latent_channels", config.latent_channels},
            {"widths", config.widths},
            {"blocks", config.blocks}};
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

json to_json(const Preprocessing& preprocessing) {
  json content{{"format_version", kPreprocessingFormat},
               {"resolution", preprocessing.resolution},
               {"channel_order", "RGB"},
               {"image_range", {0, 1}},
               {"resize", "bilinear, antialiased"},
               {"threshold", preprocessing.threshold},
               {"classes", data::class_items(preprocessing.classes)}};
  if (preprocessing.classes.several()) {
    content["class_coding"] = enum_text(preprocessing.classes.coding);
  }
  content["intensity"] = enum_text(preprocessing.intensity.rule);
  if (preprocessing.intensity.rule == data::IntensityRule::kWindow) {
    content["window"] = {preprocessing.intensity.low, preprocessing.intensity.high};
  }
  if (preprocessing.slice_axis) {
    content["slice_axis"] = enum_text(*preprocessing.slice_axis);
  }
  if (preprocessing.num_inference_steps > 0) {
    content["num_inference_steps"] = preprocessing.num_inference_steps;
  }
  if (preprocessing.last_timestep_alone) {
    content["training_timesteps"] = enum_text(TrainingTimesteps::kLast);
  }
  return content;
}

json model_index_json(const ModelDescription& description, bool diffusers_autoencoder) {
  const bool tiny = description.autoencoder.type == models::AutoencoderType::kTiny;
  const char* vae = tiny ? "AutoencoderTiny" : "AutoencoderKL";
  json index{{"_class_name", kModelClass},
             {"latent_encoder", {"leaf.autoencoder", "LatentEncoder"}},
             {"scheduler", {"diffusers", "DDIMScheduler"}},
             {"unet", {"leaf.unet", "UNetModel"}},
             {"vae", {tiny || diffusers_autoencoder ? "diffusers" : "leaf.autoencoder", vae}}};
  if (description.decoder) {
    index["decoder"] = {"leaf.autoencoder", "LatentDecoder"};
  }
  if (const auto& origin = description.distilled_from) {
    // diffusers takes names for parts unless they begin with '_'.
    index[kOriginKey] = {{"model", origin->model}, {"sha256", origin->sha256}};
  }
  return index;
}

}  // namespace leaf
