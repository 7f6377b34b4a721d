#include "leaf/train/build_model.h"

#include <ATen/ATen.h>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/name_maps.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/models/vision_transformer.h"
#include "leaf/nn/module.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFirstConvolution = "input_blocks.0.0.weight";

/// The path that a part starts from: its own, or the part's folder in `model.pretrained`; empty
/// when neither is there.
fs::path part_path(const fs::path& own, const fs::path& pretrained, const char* part) {
  if (!own.empty()) {
    return own;
  }
  return !pretrained.empty() && fs::exists(pretrained / part) ? pretrained / part : fs::path{};
}

void load_unet(models::UNet& unet, const fs::path& path, std::uint64_t seed) {
  if (path.empty()) {
    nn::initialise(unet, seed);
    log::info("U-Net starts from random weights");
    return;
  }
  io::TensorMap tensors = io::read_weights(path);
  const auto first = tensors.find(kFirstConvolution);
  const bool widen = first != tensors.end() && first->second.dim() == 4 &&
                     2 * first->second.size(1) == unet.config().in_channels;
  if (widen) {
    first->second = models::widen_input(first->second);
  }
  io::load_parameters(unet, tensors, path.string());
  log::info(str("U-Net from ", path.string(), widen ? ", its input widened" : ""));
}

void load_latent_encoder(Model& model, const fs::path& path) {
  if (path.empty()) {
    nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
    log::info("latent encoder starts as a copy of the autoencoder's encoder");
    return;
  }
  load_part(*model.latent_encoder, path);
  log::info(str("latent encoder from ", path.string()));
}

}  // namespace

ModelDescription describe(const Config& config) {
  ModelDescription description;
  description.autoencoder = config.model.autoencoder;
  description.unet = config.model.unet;
  description.unet.in_channels = 2 * config.model.autoencoder.latent_channels;
  description.unet.out_channels = config.model.autoencoder.latent_channels;
  description.latent_encoder_dropout = config.model.latent_encoder_dropout;
  description.scheduler = config.diffusion.scheduler;
  description.preprocessing.resolution = config.data.resolution;
  description.preprocessing.threshold = config.validation.threshold;
  return description;
}

Model build_model(const Config& config) {
  Model model = make_model(describe(config));
  const ModelSection& section = config.model;
  if (section.init == ModelInit::kRandom) {
    initialise(model, config.seed);
    log::info("all networks start from random weights (model.init: random)");
    return model;
  }
  load_autoencoder(*model.autoencoder, section);
  load_unet(*model.unet, part_path(section.unet_weights, section.pretrained, "unet"), config.seed);
  load_latent_encoder(
      model, part_path(section.latent_encoder_weights, section.pretrained, "latent_encoder"));
  return model;
}

void load_autoencoder(models::Autoencoder& autoencoder, const ModelSection& section) {
  std::vector<fs::path> paths = section.autoencoder_weights;
  if (paths.empty() && !section.pretrained.empty()) {
    paths.push_back(section.pretrained);
  }
  if (paths.empty()) {
    throw ConfigError(
        "model.autoencoder.weights: needed (or model.pretrained, or model.init: random); train an "
        "autoencoder of your own with task: autoencoder");
  }
  io::TensorMap tensors;
  std::vector<std::string> sources;
  for (const fs::path& path : paths) {
    const fs::path part = fs::is_directory(path / "vae") ? path / "vae" : path;
    tensors.merge(io::tiny_autoencoder_names(io::read_weights(part)));
    sources.push_back(part.string());
  }
  io::load_parameters(autoencoder, tensors, join(sources, " + "));
  log::info(str("autoencoder from ", join(sources, " + ")));
}

std::shared_ptr<models::VisionTransformer> build_teacher(const Config& config) {
  const AlignmentSection& section = config.alignment;
  if (section.teacher == "none" || section.lambda == 0.0) {
    return nullptr;
  }
  auto teacher = std::make_shared<models::VisionTransformer>(
      models::vision_transformer_config(section.teacher));
  if (config.model.init == ModelInit::kRandom) {
    nn::initialise(*teacher, config.seed);
  } else if (section.weights.empty()) {
    throw ConfigError("alignment.weights: needed for the teacher (or alignment.teacher: none)");
  } else {
    io::load_parameters(*teacher, io::vision_transformer_names(io::read_weights(section.weights)),
                        section.weights.string());
    log::info(str("teacher ", section.teacher, " from ", section.weights.string()));
  }
  nn::freeze(*teacher);
  return teacher;
}

}  // namespace leaf
