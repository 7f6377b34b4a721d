#include "light_model.h"

#include <cstdint>
#include <memory>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "nn/module.h"

namespace leaf {
namespace {

template <typename Value>
void require_teachers(const char* field, const Value& own, const Value& teachers) {
  if (own != teachers) {
    throw ConfigError(
        str(field, " is ", own, ", but ", teachers, " in ModelSection::teacher; set it to that"));
  }
}

/// Images, latents and masks of the light model are the teacher's.
void check_fits(const Config& config, const ModelDescription& teacher) {
  const Preprocessing& preprocessing = teacher.preprocessing;
  require_teachers("DataConfig::resolution", config.data.resolution, preprocessing.resolution);
  require_teachers("DataConfig::intensity", data::intensity_text(config.data.intensity),
                   data::intensity_text(preprocessing.intensity));
  require_teachers("DataConfig::slice_axis", enum_text(config.data.slice_axis),
                   enum_text(preprocessing.slice_axis.value_or(config.data.slice_axis)));
  require_teachers("DataConfig::classes", join(data::class_names(config.data.classes), ", "),
                   join(data::class_names(preprocessing.classes), ", "));
  require_teachers("AutoencoderConfig::latent_channels", config.model.autoencoder.latent_channels,
                   teacher.autoencoder.latent_channels);
  const std::int64_t own = models::downsampling(config.model.autoencoder);
  const std::int64_t teachers = models::downsampling(teacher.autoencoder);
  if (own != teachers) {
    throw ConfigError(str("AutoencoderConfig::widths makes one position of the latent of ", own,
                          " pixels, ModelSection::teacher of ", teachers,
                          "; give it one number more for every doubling"));
  }
}

ModelDescription describe_light(const Config& config, const ModelDescription& teacher) {
  ModelDescription light = teacher;
  light.autoencoder = config.model.autoencoder;
  light.decoder.reset();
  light.latent_encoder_dropout = 0;
  if (config.distill.unet == DistilledUNet::kNew) {
    light.unet = config.model.unet;
    light.unet.in_channels = teacher.unet.in_channels;
    light.unet.out_channels = teacher.unet.out_channels;
  }
  if (config.distill.unet == DistilledUNet::kTuned) {
    light.unet.dropout = 0;  // it learns from a network, not from few labels
  }
  return light;
}

/// By what a tiny autoencoder is made of; a model folder states nothing else of it.
bool is_same_tiny(const models::AutoencoderConfig& a, const models::AutoencoderConfig& b) {
  return a.type == b.type && a.variant == b.variant && a.widths == b.widths &&
         a.blocks == b.blocks && a.latent_channels == b.latent_channels;
}

void copy_halves(const TrainingModel& from, const TrainingModel& to) {
  nn::copy_parameters(*from.autoencoder, *to.autoencoder);
  nn::copy_parameters(*from.latent_encoder, *to.latent_encoder);
}

/// As those of another light model, where ModelSection::pretrained names one.
void start_halves(const Config& config, const TrainingModel& teacher, const TrainingModel& light) {
  const models::AutoencoderConfig& shape = light.description.autoencoder;
  const bool is_random = config.model.init == ModelInit::kRandom;
  if (!is_random && !config.model.pretrained.empty()) {
    const TrainingModel start = load_training_model(find_model_folder(config.model.pretrained));
    if (!is_same_tiny(start.description.autoencoder, shape)) {
      throw WeightsError(
          str("ModelSection::pretrained: the autoencoder of '", config.model.pretrained.string(),
              "' is not of the configuration's shape (variant, widths, blocks, latent channels); "
              "name a light model that is, or nothing"));
    }
    copy_halves(start, light);
    log::info("encoders and decoder start as those of ModelSection::pretrained");
  } else if (!is_random && is_same_tiny(shape, teacher.description.autoencoder)) {
    copy_halves(teacher, light);
    log::info("encoders and decoder have the teacher's shape and start as copies of its own");
  } else {
    nn::initialise(*light.autoencoder, config.seed);
    nn::copy_parameters(*light.autoencoder, *light.latent_encoder);
    if (config.distill.halves_steps == 0) {
      log::warn(
          "DistillSection::halves_steps is 0: the masks' encoder stays random, so that the light "
          "model cannot be trained on masks");
    }
  }
}

std::shared_ptr<models::UNet> make_unet(const Config& config, const ModelDescription& light,
                                        const TrainingModel& teacher) {
  if (config.distill.unet == DistilledUNet::kTeacher) {
    return teacher.unet;
  }
  auto unet = std::make_shared<models::UNet>(light.unet);
  if (config.distill.unet == DistilledUNet::kTuned) {
    nn::copy_parameters(*teacher.unet, *unet);
  } else {
    nn::initialise(*unet, config.seed);
  }
  return unet;
}

}  // namespace

TrainingModel make_light_model(const Config& config, const TrainingModel& teacher) {
  check_fits(config, teacher.description);
  TrainingModel light;
  light.description = describe_light(config, teacher.description);
  const models::AutoencoderConfig& shape = light.description.autoencoder;
  light.autoencoder = models::make_autoencoder(shape);
  light.latent_encoder = models::make_latent_encoder(shape, /*dropout=*/0);
  light.decoder = light.autoencoder->decoder();
  start_halves(config, teacher, light);
  light.unet = make_unet(config, light.description, teacher);
  return light;
}

}  // namespace leaf
