#include "leaf/train/build_model.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/pipeline/folders.h"
#include "models/autoencoder.h"
#include "models/teacher.h"
#include "nn/module.h"
#include "pipeline/weights/gather_weights.h"
#include "pipeline/weights/load_networks.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// Throws WeightsError when `field` gives a path that is not there; an empty one is not given.
void require_exists(const char* field, const fs::path& path) {
  std::error_code error;  // other troubles are reported by the reader
  if (!path.empty() && fs::status(path, error).type() == fs::file_type::not_found) {
    throw WeightsError(
        str(field, ": '", path.string(), "' does not exist; see \"Weights\" in README.md"));
  }
}

/// Adds the source of a network, if it has one: a path of its own, or its folder in
/// `pretrained`.
void add_source(std::vector<WeightSource>& sources, io::WeightPart name, const fs::path& own,
                const fs::path& pretrained) {
  if (!own.empty()) {
    sources.push_back({own, name});
  } else if (!pretrained.empty() && fs::exists(pretrained / enum_text(name))) {
    sources.push_back({pretrained, name});
  }
}

/// The folder of ModelSection::pretrained, of a run its best, else its last; empty where none is
/// given. Throws WeightsError when it holds no network.
fs::path pretrained_folder(const ModelSection& section) {
  require_exists("ModelSection::pretrained", section.pretrained);
  if (section.pretrained.empty()) {
    return {};
  }
  const auto folder = find_folder(section.pretrained, [](const fs::path& path) {
    return fs::exists(path / "unet") || fs::exists(path / "vae") ||
           fs::exists(path / "latent_encoder");
  });
  if (!folder) {
    throw WeightsError(str("ModelSection::pretrained: '", section.pretrained.string(),
                           "' has no unet, vae or latent_encoder, nor has its best or last"));
  }
  return *folder;
}

/// The paths that the autoencoder starts from; throws ConfigError when there are none.
std::vector<WeightSource> autoencoder_sources(const ModelSection& section) {
  std::vector<fs::path> paths = section.autoencoder_weights;
  if (paths.empty() && !section.pretrained.empty()) {
    paths.push_back(pretrained_folder(section));
  }
  if (paths.empty()) {
    throw ConfigError(
        "ModelSection::autoencoder_weights: needed (or ModelSection::pretrained, or "
        "ModelSection::init: random); train an "
        "autoencoder of your own with Config::task: autoencoder");
  }
  std::vector<WeightSource> sources;
  for (const fs::path& path : paths) {
    require_exists("ModelSection::autoencoder_weights", path);
    sources.push_back({path, io::WeightPart::kAutoencoder});
  }
  return sources;
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
  description.preprocessing.slice_axis = config.data.slice_axis;
  description.preprocessing.classes = config.data.classes;
  description.preprocessing.threshold = config.validation.threshold;
  description.preprocessing.num_inference_steps = config.validation.num_inference_steps;
  description.preprocessing.last_timestep_alone =
      config.diffusion.training_timesteps == TrainingTimesteps::kLast;
  return description;
}

TrainingModel build_model(const Config& config) {
  const ModelSection& section = config.model;
  if (section.init == ModelInit::kRandom) {
    TrainingModel model = make_model(describe(config));
    initialise(model, config.seed);
    log::info("all networks start from random weights (ModelSection::init: random)");
    return model;
  }
  require_exists("ModelSection::unet_weights", section.unet_weights);
  require_exists("ModelSection::latent_encoder_weights", section.latent_encoder_weights);
  std::vector<WeightSource> sources = autoencoder_sources(section);
  const fs::path pretrained = pretrained_folder(section);
  add_source(sources, io::WeightPart::kUNet, section.unet_weights, pretrained);
  add_source(sources, io::WeightPart::kLatentEncoder, section.latent_encoder_weights, pretrained);
  GatheredWeights gathered = gather_weights(sources);
  require_stated_heads(gathered, config.model.unet);
  return load_networks(describe(config), std::move(gathered), config.seed, section.unet_widening);
}

void load_autoencoder(models::Autoencoder& autoencoder, const ModelSection& section) {
  load_network(autoencoder, gather_weights(autoencoder_sources(section)),
               io::WeightPart::kAutoencoder);
}

std::shared_ptr<models::Teacher> build_teacher(const Config& config) {
  const AlignmentSection& section = config.alignment;
  if (section.teacher == "none" || section.lambda == 0.0) {
    return nullptr;
  }
  std::shared_ptr<models::Teacher> teacher = models::make_teacher(section.teacher);
  if (config.model.init == ModelInit::kRandom) {
    nn::initialise(*teacher, config.seed);
  } else if (section.weights.empty()) {
    throw ConfigError(
        "AlignmentSection::weights: needed for the teacher (or AlignmentSection::teacher: none)");
  } else {
    require_exists("AlignmentSection::weights", section.weights);
    GatheredWeights gathered = gather_weights({{section.weights, io::WeightPart::kTeacher}});
    const std::string stated = stated_teacher(gathered);
    if (!stated.empty() && stated != section.teacher) {
      throw WeightsError(str("'", section.weights.string(), "' says that it is ", stated,
                             ", not AlignmentSection::teacher ", section.teacher));
    }
    load_network(*teacher, std::move(gathered), io::WeightPart::kTeacher);
  }
  nn::freeze(*teacher);
  return teacher;
}

}  // namespace leaf
