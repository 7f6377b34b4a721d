#include "pipeline/weights/gather_weights.h"

#include <ATen/ATen.h>

#include <utility>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "pipeline/model/split_autoencoder.h"

namespace leaf {
namespace fs = std::filesystem;
using io::WeightPart;
namespace {

constexpr const char* kEmaFolder = "unet_ema";

/// One thing to read.
struct Source {
  WeightSource given;
  /// The network that the name of the folder says it is.
  std::optional<WeightPart> named;

  /// What the user calls it, or else the folder that it lies in.
  std::optional<WeightPart> name() const { return given.only ? given.only : named; }
};

/// The parts of a model folder, of a checkpoint of the published training, or of diffusers'.
std::vector<Source> folder_parts(const WeightSource& given) {
  const fs::path& folder = given.path;
  const bool has_ema = fs::is_directory(folder / kEmaFolder);
  std::vector<Source> sources;
  const auto add = [&](const char* name, WeightPart part) {
    const bool wanted = !given.only || *given.only == part;
    if (wanted && fs::is_directory(folder / name)) {
      sources.push_back({{folder / name, given.only}, part});
    }
    return wanted;
  };
  add("vae", WeightPart::kAutoencoder);
  const bool wants_unet = add(has_ema ? kEmaFolder : "unet", WeightPart::kUNet);
  add("latent_encoder", WeightPart::kLatentEncoder);
  add("decoder", WeightPart::kDecoder);
  if (wants_unet && has_ema && fs::is_directory(folder / "unet")) {
    log::info(str("'", folder.string(), "' has unet and unet_ema; the average is taken"));
  }
  return sources;
}

void rename(io::KnownWeights& known, WeightPart from, WeightPart to) {
  auto part = known.parts.extract(from);
  part.key() = to;
  known.parts.insert(std::move(part));
}

/// Half of an autoencoder looks the same whatever it is for: its name decides. An encoder alone is
/// told to be a latent encoder; a whole autoencoder has either half.
void apply_name(io::KnownWeights& known, const std::optional<WeightPart>& name) {
  const bool is_encoder = known.parts.contains(WeightPart::kLatentEncoder);
  if (name == WeightPart::kAutoencoder && is_encoder && known.parts.size() == 1) {
    rename(known, WeightPart::kLatentEncoder, WeightPart::kAutoencoder);
  }
  if (!known.parts.contains(WeightPart::kAutoencoder)) {
    return;
  }
  io::TensorMap& autoencoder = known.parts.at(WeightPart::kAutoencoder);
  if (name == WeightPart::kLatentEncoder && !is_encoder) {
    autoencoder = split_autoencoder(std::move(autoencoder)).encoder;
    rename(known, WeightPart::kAutoencoder, WeightPart::kLatentEncoder);
  } else if (name == WeightPart::kDecoder) {
    autoencoder = split_autoencoder(std::move(autoencoder)).decoder;
    rename(known, WeightPart::kAutoencoder, WeightPart::kDecoder);
  }
}

void select_part(io::KnownWeights& known, const WeightSource& source) {
  if (!source.only) {
    return;
  }
  if (!known.parts.contains(*source.only)) {
    std::vector<std::string> names;
    for (const auto& [part, tensors] : known.parts) {
      names.push_back(enum_text(part));
    }
    throw WeightsError(str("'", source.path.string(), "' (", known.format, ") holds no ",
                           enum_text(*source.only), ", only: ", join(names, ", ")));
  }
  std::erase_if(known.parts, [&](const auto& item) { return item.first != *source.only; });
}

void report(const io::KnownWeights& known, const fs::path& path) {
  for (const auto& [part, tensors] : known.parts) {
    const bool average = known.ema && part == WeightPart::kUNet;
    log::info(str("'", path.string(), "': ", enum_text(part), " of ", known.format,
                  average ? ", the moving average, " : ", ", tensors.size(), " tensors, ",
                  io::parameter_count(tensors), " parameters"));
  }
  if (!known.unused.empty()) {
    log::info(str("'", path.string(), "': ", known.unused.size(), " further ",
                  known.unused.size() == 1 ? "tensor is" : "tensors are",
                  " not needed (see log::Level::kVerbose)"));
  }
  for (const std::string& name : known.unused) {
    log::debug(str("not needed: ", name));
  }
}

/// The config.json that belongs to a weight file or folder; empty without.
fs::path config_beside(const fs::path& path) {
  const fs::path config =
      (fs::is_directory(path) ? path : fs::absolute(path).parent_path()) / "config.json";
  return fs::is_regular_file(config) ? config : fs::path{};
}

/// Adds to a network what another source holds of it.
void merge(GatheredPart& part, WeightPart name, const io::TensorMap& tensors,
           const WeightSource& source) {
  const std::string path = source.path.string();
  for (const auto& [key, tensor] : tensors) {
    const auto [place, is_new] = part.tensors.emplace(key, tensor);
    if (is_new) {
      part.source_of.emplace(key, path);
    } else if (!at::equal(place->second.to(at::kFloat), tensor.to(at::kFloat))) {
      throw WeightsError(str("'", part.source_of.at(key), "' and '", path,
                             "' hold different weights of the ", enum_text(name), " (", key, "); ",
                             source.only ? std::string("leave one of them out")
                                         : str("say which to take: ", enum_text(name), "=FILE")));
    }
  }
  part.sources.push_back(path);
  if (part.config.empty()) {
    part.config = config_beside(source.path);
  }
}

void add_source(GatheredWeights& gathered, const Source& source, bool prefer_ema) {
  const fs::path& path = source.given.path;
  io::KnownWeights known =
      io::recognise(io::read_weights(path), path.string(), {.prefer_ema = prefer_ema});
  apply_name(known, source.name());
  select_part(known, source.given);
  report(known, path);
  if (prefer_ema && !known.ema && known.parts.contains(WeightPart::kUNet) &&
      path.filename() != kEmaFolder) {
    log::warn(str("'", path.string(),
                  "' holds no moving average of the U-Net; its weights themselves are taken"));
  }
  if (known.scaling_factor && known.parts.contains(WeightPart::kLatentEncoder)) {
    gathered.scaling_factor = known.scaling_factor;
  }
  for (const auto& [part, tensors] : known.parts) {
    merge(gathered.parts[part], part, tensors, source.given);
  }
}

/// A file of a model folder, if it is there. What is stated beside the U-Net, such as what it
/// predicts, goes before what is stated beside other networks.
void prefer_beside_unet(fs::path& place, const fs::path& path, bool has_unet) {
  if (fs::is_regular_file(path) && (has_unet || place.empty())) {
    place = path;
  }
}

}  // namespace

std::string GatheredPart::source() const { return join(sources, " + "); }

GatheredWeights gather_weights(const std::vector<WeightSource>& sources, bool prefer_ema) {
  GatheredWeights gathered;
  for (const WeightSource& given : sources) {
    std::vector<Source> found = folder_parts(given);
    if (found.empty()) {
      found.push_back({given, std::nullopt});
    } else {
      const bool has_unet = std::any_of(found.begin(), found.end(), [](const Source& source) {
        return source.named == WeightPart::kUNet;
      });
      prefer_beside_unet(gathered.scheduler, given.path / "scheduler/scheduler_config.json",
                         has_unet);
      prefer_beside_unet(gathered.preprocessing, given.path / "preprocessing.json", has_unet);
      const fs::path index = given.path / "model_index.json";
      if (sources.size() == 1 && !given.only && fs::is_regular_file(index)) {
        gathered.index = index;
      }
    }
    for (const Source& source : found) {
      add_source(gathered, source, prefer_ema);
    }
  }
  return gathered;
}

}  // namespace leaf
