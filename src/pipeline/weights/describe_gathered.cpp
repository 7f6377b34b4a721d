#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"
#include "pipeline/weights/describe_weights.h"
#include "pipeline/weights/gather_weights.h"

namespace leaf {
using io::WeightPart;
using nlohmann::json;
namespace {

void read_autoencoder_json(const json& content, models::AutoencoderConfig& config) {
  const json shift = content.value("shift_factor", json());
  if (shift.is_number() && shift != 0) {
    throw WeightsError("latents that are shifted (shift_factor) are not supported");
  }
  if (config.type == models::AutoencoderType::kKl) {
    read_scaling_factor(content, config);
  }
}

void read_unet_json(const json& content, models::UNetConfig& config) {
  if (content.value("num_head_channels", -1) > 0) {
    throw WeightsError("num_head_channels is not supported, only num_heads");
  }
  read_heads_and_dropout(content, config);
}

/// What the config.json beside the weights knows, if there is one.
template <typename Config>
void read_config(const GatheredPart& part, void (*read)(const json&, Config&), Config& config) {
  if (!part.config.empty()) {
    parse_json(part.config, [&](const json& content) { read(content, config); });
  }
}

void log_schedule(const std::string& whose, const diffusion::SchedulerConfig& scheduler) {
  log::info(str("no file states the noise schedule; ", whose, " is taken: predicts ",
                enum_text(scheduler.prediction_type), ", ", enum_text(scheduler.beta_schedule), " ",
                scheduler.beta_start, " to ", scheduler.beta_end));
}

diffusion::SchedulerConfig scheduler_of(const GatheredWeights& gathered,
                                        const models::AutoencoderConfig& autoencoder) {
  if (!gathered.scheduler.empty()) {
    return parse_json(gathered.scheduler, scheduler_from_json);
  }
  if (gathered.scaling_factor) {
    log_schedule("SDSeg's", sdseg_scheduler());
    return sdseg_scheduler();
  }
  diffusion::SchedulerConfig paper;
  paper.clip_sample = autoencoder.type == models::AutoencoderType::kKl;
  log_schedule("the paper's", paper);
  return paper;
}

models::AutoencoderConfig decoder_of(const GatheredWeights& gathered,
                                     const models::AutoencoderConfig& autoencoder) {
  const GatheredPart& part = gathered.parts.at(WeightPart::kDecoder);
  models::AutoencoderConfig config = describe_decoder(part.tensors, part.source());
  config.scaling_factor = autoencoder.scaling_factor;
  read_config(part, read_autoencoder_json, config);
  return config;
}

}  // namespace

models::AutoencoderConfig autoencoder_of(const GatheredWeights& gathered) {
  for (const WeightPart name : {WeightPart::kAutoencoder, WeightPart::kLatentEncoder}) {
    if (gathered.has(name)) {
      const GatheredPart& part = gathered.parts.at(name);
      models::AutoencoderConfig config = describe_autoencoder(part.tensors, part.source());
      read_config(part, read_autoencoder_json, config);
      return config;
    }
  }
  return {};
}

diffusion::SchedulerConfig sdseg_scheduler() {
  return {.beta_schedule = diffusion::BetaSchedule::kScaledLinear,
          .prediction_type = diffusion::PredictionType::kEpsilon,
          .clip_sample = false};
}

std::string stated_teacher(const GatheredWeights& gathered) {
  if (!gathered.has(WeightPart::kTeacher) ||
      gathered.parts.at(WeightPart::kTeacher).config.empty()) {
    return "";
  }
  return parse_json(gathered.parts.at(WeightPart::kTeacher).config, [](const json& content) {
    return content.value("_class_name", "") == kTeacherClass ? content.value("name", "") : "";
  });
}

void require_stated_heads(const GatheredWeights& gathered, const models::UNetConfig& unet) {
  if (!gathered.has(WeightPart::kUNet)) {
    return;
  }
  const GatheredPart& part = gathered.parts.at(WeightPart::kUNet);
  models::UNetConfig stated = unet;
  read_config(part, read_unet_json, stated);
  if (stated.num_heads != unet.num_heads) {
    throw WeightsError(str("'", part.source(), "' states ", stated.num_heads,
                           " attention heads; set UNetConfig::num_heads, which is ",
                           unet.num_heads));
  }
}

ModelDescription describe_gathered(const GatheredWeights& gathered) {
  ModelDescription description;
  description.autoencoder = autoencoder_of(gathered);
  if (gathered.has(WeightPart::kUNet)) {
    const GatheredPart& part = gathered.parts.at(WeightPart::kUNet);
    description.unet = describe_unet(part.tensors, part.source());
    read_config(part, read_unet_json, description.unet);
  }
  if (gathered.has(WeightPart::kLatentEncoder)) {
    read_config(gathered.parts.at(WeightPart::kLatentEncoder), read_dropout,
                description.latent_encoder_dropout);
  }
  if (gathered.has(WeightPart::kDecoder)) {
    description.decoder = decoder_of(gathered, description.autoencoder);
  }
  description.unet.in_channels = 2 * description.autoencoder.latent_channels;
  description.unet.out_channels = description.autoencoder.latent_channels;
  description.scheduler = scheduler_of(gathered, description.autoencoder);
  if (!gathered.preprocessing.empty()) {
    description.preprocessing = parse_json(gathered.preprocessing, preprocessing_from_json);
  }
  return description;
}

}  // namespace leaf
