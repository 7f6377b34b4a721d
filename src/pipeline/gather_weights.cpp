#include "gather_weights.h"

#include <ATen/ATen.h>

#include <utility>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"

namespace leaf {
namespace fs = std::filesystem;
using io::WeightPart;
namespace {

constexpr const char* kEmaFolder = "unet_ema";

/// One thing to read.
struct Source {
  fs::path path;
  /// Take only this network.
  std::optional<WeightPart> only;
  /// The network that the name of the folder says it is.
  std::optional<WeightPart> named;
};

struct Argument {
  fs::path path;
  std::optional<WeightPart> only;
};

/// "unet=FILE" or "FILE"; a file whose own name has such a beginning is taken for what it is.
Argument parse_argument(const std::string& text) {
  for (const auto& [part, name] : enum_names(WeightPart{})) {
    if (text.starts_with(name + "=") && !fs::exists(text)) {
      return {text.substr(name.size() + 1), part};
    }
  }
  return {text, std::nullopt};
}

/// The parts of a model folder, of a checkpoint of the published training, or of diffusers'.
std::vector<Source> folder_parts(const Argument& argument) {
  const fs::path& folder = argument.path;
  const bool has_ema = fs::is_directory(folder / kEmaFolder);
  std::vector<Source> sources;
  const auto add = [&](const char* name, WeightPart part) {
    const bool wanted = !argument.only || *argument.only == part;
    if (wanted && fs::is_directory(folder / name)) {
      sources.push_back({folder / name, argument.only, part});
    }
  };
  add("vae", WeightPart::kAutoencoder);
  add(has_ema ? kEmaFolder : "unet", WeightPart::kUNet);
  add("latent_encoder", WeightPart::kLatentEncoder);
  if (has_ema && fs::is_directory(folder / "unet")) {
    log::info(str("'", folder.string(), "' has unet and unet_ema; the average is taken"));
  }
  return sources;
}

/// An encoder alone looks the same whether it is half of an autoencoder or a latent encoder: what
/// the user calls it or the folder that it lies in decides.
void rename_encoder(io::KnownWeights& known, const std::optional<WeightPart>& name) {
  if (name == WeightPart::kAutoencoder && known.parts.size() == 1 &&
      known.parts.contains(WeightPart::kLatentEncoder)) {
    auto part = known.parts.extract(WeightPart::kLatentEncoder);
    part.key() = WeightPart::kAutoencoder;
    known.parts.insert(std::move(part));
  }
}

void select_part(io::KnownWeights& known, const Source& source) {
  if (!source.only) {
    return;
  }
  if (!known.parts.contains(*source.only)) {
    std::vector<std::string> names;
    for (const auto& [part, tensors] : known.parts) {
      names.push_back(enum_text(part));
    }
    throw WeightsError(str("'", source.path.string(), "' holds no ", enum_text(*source.only),
                           ", only: ", join(names, ", ")));
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
                  " not needed (see --verbose)"));
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

void merge(GatheredPart& part, WeightPart name, const io::TensorMap& tensors,
           const fs::path& path) {
  for (const auto& [key, tensor] : tensors) {
    const auto [place, is_new] = part.tensors.emplace(key, tensor);
    if (is_new) {
      part.source_of.emplace(key, path.string());
    } else if (!at::equal(place->second.to(at::kFloat), tensor.to(at::kFloat))) {
      throw WeightsError(str("'", part.source_of.at(key), "' and '", path.string(),
                             "' hold different weights of the ", enum_text(name), " (", key,
                             "); say which to take: ", enum_text(name), "=FILE"));
    }
  }
  part.sources.push_back(path.string());
  if (part.config.empty()) {
    part.config = config_beside(path);
  }
}

void add_source(GatheredWeights& gathered, const Source& source, bool prefer_ema) {
  io::KnownWeights known = io::recognise(io::read_weights(source.path), source.path.string(),
                                         {.prefer_ema = prefer_ema});
  rename_encoder(known, source.only ? source.only : source.named);
  select_part(known, source);
  report(known, source.path);
  if (prefer_ema && !known.ema && known.parts.contains(WeightPart::kUNet) &&
      source.path.filename() != kEmaFolder) {
    log::warn(str("'", source.path.string(),
                  "' holds no moving average of the U-Net; its weights themselves are taken"));
  }
  if (known.scaling_factor && known.parts.contains(WeightPart::kLatentEncoder)) {
    gathered.scaling_factor = known.scaling_factor;
  }
  for (const auto& [part, tensors] : known.parts) {
    merge(gathered.parts[part], part, tensors, source.path);
  }
}

}  // namespace

std::string GatheredPart::source() const { return join(sources, " + "); }

GatheredWeights gather_weights(const std::vector<std::string>& paths, bool prefer_ema) {
  GatheredWeights gathered;
  const auto take_if_there = [](fs::path& place, const fs::path& path) {
    if (fs::is_regular_file(path)) {
      place = path;
    }
  };
  for (const std::string& text : paths) {
    const Argument argument = parse_argument(text);
    std::vector<Source> sources = folder_parts(argument);
    if (sources.empty()) {
      sources.push_back({argument.path, argument.only, std::nullopt});
    } else {
      take_if_there(gathered.scheduler, argument.path / "scheduler/scheduler_config.json");
      take_if_there(gathered.preprocessing, argument.path / "preprocessing.json");
    }
    for (const Source& source : sources) {
      add_source(gathered, source, prefer_ema);
    }
  }
  return gathered;
}

}  // namespace leaf
