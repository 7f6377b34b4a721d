#include "pipeline/weights/load_networks.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "nn/module.h"

namespace leaf {
using io::WeightPart;
namespace {

/// Latents of another scale are another network's: those of a file that states its own.
void check_scale(const GatheredWeights& gathered, double scaling_factor) {
  constexpr double kTolerance = 1e-3;
  const double stated = gathered.scaling_factor.value_or(scaling_factor);
  if (std::abs(stated - scaling_factor) > kTolerance * scaling_factor) {
    log::warn(str("'", gathered.parts.at(WeightPart::kLatentEncoder).source(),
                  "' was trained with latents times ", stated,
                  ": set AutoencoderConfig::scaling_factor, which is ", scaling_factor));
  }
}

/// A U-Net's weights for the mask's latent alone become weights for a U-Net with `in_channels`,
/// twice as many. Returns whether they were such weights; others stay.
bool widen(io::TensorMap& unet, std::int64_t in_channels, models::InputWidening how) {
  const auto first = unet.find("input_blocks.0.0.weight");
  if (first == unet.end() || first->second.dim() != 4 || 2 * first->second.size(1) != in_channels) {
    return false;
  }
  first->second = models::widen_input(first->second, how);
  log::info(
      str("the U-Net's input is widened from ", in_channels / 2, " to ", in_channels, " channels"));
  return true;
}

/// Gives networks their weights; what does not fit is collected over all of them.
class NetworkLoader {
 public:
  NetworkLoader(GatheredWeights& gathered, std::optional<std::uint64_t> random_seed)
      : gathered_(gathered), random_seed_(random_seed) {}

  void load(torch::nn::Module& module, WeightPart name) {
    GatheredPart& part = gathered_.parts.at(name);
    try {
      io::move_parameters(module, std::move(part.tensors), part.source());
    } catch (const io::WeightsMismatch& mismatch) {
      messages_.emplace_back(mismatch.what());
      for (const std::string& line : mismatch.details()) {
        details_.push_back(str(enum_text(name), ": ", line));
      }
    }
  }

  /// The weights that were given, else random ones.
  void load_or_draw(torch::nn::Module& module, WeightPart name) {
    if (gathered_.has(name)) {
      load(module, name);
    } else {
      nn::initialise(module, random_seed_.value());
      log::info(str("the ", enum_text(name), " starts from random weights"));
    }
  }

  void throw_mismatches() const {
    if (!details_.empty()) {
      throw io::WeightsMismatch(join(messages_, "; "), details_);
    }
  }

 private:
  GatheredWeights& gathered_;
  std::optional<std::uint64_t> random_seed_;
  std::vector<std::string> messages_, details_;
};

void copy_latent_encoder(const TrainingModel& model, bool unet_knows_another) {
  nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
  const std::string text = "the latent encoder starts as a copy of the autoencoder's encoder";
  if (unet_knows_another) {
    log::warn(text + ", though the U-Net has been trained with one, which no file holds");
  } else {
    log::info(text);
  }
}

}  // namespace

TrainingModel load_networks(const ModelDescription& description, GatheredWeights gathered,
                            std::optional<std::uint64_t> random_seed,
                            models::InputWidening widening) {
  check_scale(gathered, description.autoencoder.scaling_factor);
  const bool has_unet = gathered.has(WeightPart::kUNet);
  const bool widened = has_unet && widen(gathered.parts.at(WeightPart::kUNet).tensors,
                                         description.unet.in_channels, widening);
  TrainingModel model = make_model(description);
  NetworkLoader loader(gathered, random_seed);
  loader.load_or_draw(*model.autoencoder, WeightPart::kAutoencoder);
  loader.load_or_draw(*model.unet, WeightPart::kUNet);
  if (gathered.has(WeightPart::kLatentEncoder)) {
    loader.load(*model.latent_encoder, WeightPart::kLatentEncoder);
  }
  if (description.decoder) {
    loader.load_or_draw(*model.decoder, WeightPart::kDecoder);
  }
  loader.throw_mismatches();
  if (!gathered.has(WeightPart::kLatentEncoder)) {
    copy_latent_encoder(model, has_unet && !widened);
  }
  return model;
}

void load_network(torch::nn::Module& module, GatheredWeights gathered, WeightPart name) {
  NetworkLoader loader(gathered, std::nullopt);
  loader.load(module, name);
  loader.throw_mismatches();
}

}  // namespace leaf
