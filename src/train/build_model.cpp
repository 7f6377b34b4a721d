#include "leaf/train/build_model.h"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/models/vision_transformer.h"
#include "leaf/nn/module.h"
#include "leaf/pipeline/import_weights.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// WeightsError when `key` gives a path that is not there; an empty one is not given.
void require_exists(const char* key, const fs::path& path) {
  std::error_code error;  // other troubles are reported by the reader
  if (!path.empty() && fs::status(path, error).type() == fs::file_type::not_found) {
    throw WeightsError(
        str(key, ": '", path.string(), "' does not exist; see \"Weights\" in README.md"));
  }
}

/// The path that a part starts from: its own, or the part's folder in `model.pretrained`; empty
/// when neither is there.
fs::path part_path(const fs::path& own, const fs::path& pretrained, const char* part) {
  if (!own.empty()) {
    return own;
  }
  return !pretrained.empty() && fs::exists(pretrained / part) ? pretrained / part : fs::path{};
}

/// Weights of any known format.
io::KnownWeights recognise(const io::TensorMap& tensors, const std::string& source) {
  io::KnownWeights known = io::recognise(tensors, source);
  log::debug(str("'", source, "' is ", known.format));
  return known;
}

io::TensorMap take_part(io::KnownWeights known, io::WeightPart part, const std::string& source) {
  const auto found = known.parts.find(part);
  if (found == known.parts.end()) {
    throw WeightsError(str("'", source, "' (", known.format, ") has no ", enum_text(part)));
  }
  return std::move(found->second);
}

io::TensorMap read_part(const fs::path& path, io::WeightPart part) {
  return take_part(recognise(io::read_weights(path), path.string()), part, path.string());
}

/// Latents of another scale are another network's: those of a file that states its own.
void check_scale(const io::KnownWeights& known, const fs::path& path, double scaling_factor) {
  constexpr double kTolerance = 1e-3;
  const double stated = known.scaling_factor.value_or(scaling_factor);
  if (std::abs(stated - scaling_factor) > kTolerance * scaling_factor) {
    log::warn(str("'", path.string(), "' was trained with latents times ", stated,
                  ": set model.autoencoder.scaling_factor, which is ", scaling_factor));
  }
}

void load_unet(models::UNet& unet, const fs::path& path, std::uint64_t seed) {
  if (path.empty()) {
    nn::initialise(unet, seed);
    log::info("U-Net starts from random weights");
    return;
  }
  io::TensorMap tensors = read_part(path, io::WeightPart::kUNet);
  const bool widened = widen_unet(tensors, unet.config().in_channels);
  io::load_parameters(unet, tensors, path.string());
  log::info(str("U-Net from ", path.string(), widened ? ", its input widened" : ""));
}

/// What an autoencoder has in common with a latent encoder.
io::TensorMap encoder_half(io::TensorMap autoencoder) {
  std::erase_if(autoencoder, [](const auto& item) {
    return !item.first.starts_with("encoder.") && !item.first.starts_with("quant_conv.");
  });
  return autoencoder;
}

/// One autoencoder's tensors from all files. They are told together where they do not share names,
/// and else one by one: the halves of TAESD, which are named by bare positions.
io::TensorMap read_autoencoder(const std::vector<fs::path>& paths, const std::string& source) {
  constexpr auto kPart = io::WeightPart::kAutoencoder;
  std::vector<io::TensorMap> files;
  io::TensorMap all;
  bool share_names = false;
  for (const fs::path& path : paths) {
    files.push_back(io::read_weights(path));
    io::TensorMap file = files.back();
    all.merge(file);
    share_names = share_names || !file.empty();
  }
  if (!share_names) {
    return take_part(recognise(all, source), kPart, source);
  }
  io::TensorMap tensors;
  for (std::size_t i = 0; i < files.size(); ++i) {
    io::TensorMap part =
        take_part(recognise(files[i], paths[i].string()), kPart, paths[i].string());
    tensors.merge(part);
    if (!part.empty()) {
      throw WeightsError(str("model.autoencoder.weights: '", paths[i].string(), "' has '",
                             part.begin()->first, "', which another of the files has too"));
    }
  }
  return tensors;
}

void load_latent_encoder(Model& model, const fs::path& path) {
  if (path.empty()) {
    nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
    log::info("latent encoder starts as a copy of the autoencoder's encoder");
    return;
  }
  const io::KnownWeights known = recognise(io::read_weights(path), path.string());
  check_scale(known, path, model.description.autoencoder.scaling_factor);
  const bool whole = !known.parts.contains(io::WeightPart::kLatentEncoder);
  const io::TensorMap tensors =
      whole ? encoder_half(take_part(known, io::WeightPart::kAutoencoder, path.string()))
            : take_part(known, io::WeightPart::kLatentEncoder, path.string());
  io::load_parameters(*model.latent_encoder, tensors, path.string());
  log::info(str("latent encoder from ", path.string(), whole ? ", an autoencoder" : ""));
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
  description.preprocessing.intensity = config.data.intensity;
  description.preprocessing.threshold = config.validation.threshold;
  description.preprocessing.num_inference_steps = config.validation.num_inference_steps;
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
  require_exists("model.unet.weights", section.unet_weights);
  require_exists("model.latent_encoder.weights", section.latent_encoder_weights);
  load_autoencoder(*model.autoencoder, section);
  load_unet(*model.unet, part_path(section.unet_weights, section.pretrained, "unet"), config.seed);
  load_latent_encoder(
      model, part_path(section.latent_encoder_weights, section.pretrained, "latent_encoder"));
  return model;
}

void load_autoencoder(models::Autoencoder& autoencoder, const ModelSection& section) {
  require_exists("model.pretrained", section.pretrained);
  std::vector<fs::path> paths = section.autoencoder_weights;
  if (paths.empty() && !section.pretrained.empty()) {
    paths.push_back(section.pretrained);
  }
  if (paths.empty()) {
    throw ConfigError(
        "model.autoencoder.weights: needed (or model.pretrained, or model.init: random); train an "
        "autoencoder of your own with task: autoencoder");
  }
  std::vector<std::string> sources;
  for (fs::path& path : paths) {
    require_exists("model.autoencoder.weights", path);
    path = fs::is_directory(path / "vae") ? path / "vae" : path;
    sources.push_back(path.string());
  }
  const std::string source = join(sources, " + ");
  io::load_parameters(autoencoder, read_autoencoder(paths, source), source);
  log::info(str("autoencoder from ", source));
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
    require_exists("alignment.weights", section.weights);
    io::load_parameters(*teacher, read_part(section.weights, io::WeightPart::kTeacher),
                        section.weights.string());
    log::info(str("teacher ", section.teacher, " from ", section.weights.string()));
  }
  nn::freeze(*teacher);
  return teacher;
}

}  // namespace leaf
