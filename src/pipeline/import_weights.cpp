#include "leaf/pipeline/import_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "gather_weights.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/models/vision_transformer.h"
#include "leaf/nn/module.h"
#include "leaf/pipeline/describe_weights.h"
#include "model_json.h"
#include "stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;
using io::WeightPart;
using nlohmann::json;
namespace {

void check_heads(const models::UNetConfig& unet) {
  for (const std::int64_t factor : unet.channel_mult) {
    const std::int64_t width = unet.model_channels * factor;
    if (unet.num_heads < 1 || width % unet.num_heads != 0) {
      throw ConfigError(str("the U-Net's ", width, " channels cannot be split over ",
                            unet.num_heads, " heads; state the right number with --num-heads"));
    }
  }
}

ModelDescription describe(const GatheredWeights& gathered, const ImportOptions& options) {
  ModelDescription description =
      options.description ? *options.description : describe_gathered(gathered);
  description.unet.num_heads = options.num_heads.value_or(description.unet.num_heads);
  description.autoencoder.scaling_factor =
      gathered.scaling_factor.value_or(description.autoencoder.scaling_factor);
  check_heads(description.unet);
  check_description(description);
  return description;
}

// ---- the networks ----

/// Gives networks their weights; what does not fit is collected over all of them.
class Loader {
 public:
  Loader(GatheredWeights gathered, const ImportOptions& options)
      : gathered_(std::move(gathered)), options_(options) {}

  bool has(WeightPart part) const { return gathered_.has(part); }

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
    if (has(name)) {
      load(module, name);
    } else {
      nn::initialise(module, options_.random_seed.value());
      log::warn(str("the ", enum_text(name), " starts from random weights"));
    }
  }

  void widen(std::int64_t in_channels) {
    widened_ = widen_unet(gathered_.parts.at(WeightPart::kUNet).tensors, in_channels);
    if (widened_) {
      log::info(str("the U-Net's input is widened from ", in_channels / 2, " to ", in_channels,
                    " channels"));
    }
  }

  void copy_latent_encoder(const Model& model) const {
    nn::copy_parameters(*model.autoencoder, *model.latent_encoder);
    const std::string text = "the latent encoder starts as a copy of the autoencoder's encoder";
    if (has(WeightPart::kUNet) && !widened_) {
      log::warn(text + ", though the U-Net has been trained with one, which no file holds");
    } else {
      log::info(text);
    }
  }

  void throw_mismatches() const {
    if (!details_.empty()) {
      throw io::WeightsMismatch(join(messages_, "; "), details_);
    }
  }

 private:
  GatheredWeights gathered_;
  const ImportOptions& options_;
  bool widened_ = false;
  std::vector<std::string> messages_, details_;
};

Model assemble(const GatheredWeights& gathered, const ImportOptions& options) {
  Model model = make_model(describe(gathered, options));
  Loader loader(gathered, options);
  if (loader.has(WeightPart::kUNet)) {
    loader.widen(model.description.unet.in_channels);
  }
  loader.load_or_draw(*model.autoencoder, WeightPart::kAutoencoder);
  loader.load_or_draw(*model.unet, WeightPart::kUNet);
  if (loader.has(WeightPart::kLatentEncoder)) {
    loader.load(*model.latent_encoder, WeightPart::kLatentEncoder);
  }
  loader.throw_mismatches();
  if (!loader.has(WeightPart::kLatentEncoder)) {
    loader.copy_latent_encoder(model);
  }
  return model;
}

void import_autoencoder(const GatheredWeights& gathered, const fs::path& target,
                        const ImportOptions& options) {
  const models::AutoencoderConfig config =
      options.description ? options.description->autoencoder : autoencoder_of(gathered);
  const auto autoencoder = models::make_autoencoder(config);
  Loader loader(gathered, options);
  loader.load(*autoencoder, WeightPart::kAutoencoder);
  loader.throw_mismatches();
  save_autoencoder(target, *autoencoder, config);
  log::info(str("autoencoder in '", target.string(), "'; model.autoencoder.weights takes it"));
}

json to_json(const models::VisionTransformerConfig& config) {
  return {{"_class_name", kTeacherClass},
          {"name", config.name},
          {"width", config.width},
          {"depth", config.depth},
          {"num_heads", config.num_heads},
          {"patch_size", config.patch_size},
          {"grid", config.grid},
          {"num_registers", config.num_registers},
          {"layer_scale", config.layer_scale},
          {"swiglu", config.swiglu},
          {"norm_pre", config.norm_pre},
          {"quick_gelu", config.quick_gelu},
          {"norm_eps", config.norm_eps},
          {"mean", config.mean},
          {"std", config.std}};
}

/// The activation that Hugging Face's config.json states for a vision tower, or "".
std::string stated_activation(const GatheredPart& part) {
  if (part.config.empty()) {
    return "";
  }
  return parse_json(part.config, [](const json& content) {
    return content.value("vision_config", content).value("hidden_act", "");
  });
}

/// The teachers of the registry that these weights can be.
std::vector<std::string> fitting_teachers(const models::VisionTransformerConfig& shape,
                                          const std::string& activation) {
  std::vector<std::string> names = teachers_of_shape(shape);
  std::erase_if(names, [&](const std::string& name) {
    const bool quick = models::vision_transformer_config(name).quick_gelu;
    return !activation.empty() && quick != (activation == "quick_gelu");
  });
  return names;
}

/// `name`; ConfigError when no teacher has that name, or these weights are another one.
std::string chosen_teacher(const std::string& name, const std::vector<std::string>& fitting) {
  models::vision_transformer_config(name);  // throws for unknown names
  if (std::find(fitting.begin(), fitting.end(), name) == fitting.end()) {
    throw ConfigError(str("--teacher: these weights are not ", name, "; ",
                          fitting.empty() ? std::string("no known teacher has their shape")
                                          : str("they can be ", join(fitting, " or "))));
  }
  return name;
}

void import_teacher(const GatheredWeights& gathered, const fs::path& target,
                    const ImportOptions& options) {
  const GatheredPart& part = gathered.parts.at(WeightPart::kTeacher);
  const auto shape = describe_vision_transformer(part.tensors, part.source());
  auto names = fitting_teachers(shape, stated_activation(part));
  if (options.teacher) {
    names = {chosen_teacher(*options.teacher, names)};
  }
  models::VisionTransformer teacher(
      names.empty() ? shape : models::vision_transformer_config(names.front()));
  Loader loader(gathered, options);
  loader.load(teacher, WeightPart::kTeacher);
  loader.throw_mismatches();
  save_teacher(target, to_json(teacher.config()), io::state_dict(teacher));
  if (names.empty()) {
    log::warn("no alignment.teacher has the shape of this vision transformer");
    return;
  }
  log::info(str("teacher in '", target.string(),
                "'; alignment.weights takes it, with alignment.teacher: ", join(names, " or ")));
  if (names.size() > 1) {
    log::warn(str("these teachers have the same shape; '", names.front(),
                  "' is taken (--teacher NAME states which it is)"));
  }
}

// ---- what the weights make up ----

/// What to add, for a network that cannot be missing.
void require_part(const GatheredWeights& gathered, WeightPart part, const char* example) {
  if (!gathered.has(part)) {
    throw WeightsError(str("these files hold no ", enum_text(part), "; add one that does (",
                           example, "), or --init-missing random"));
  }
}

/// ConfigError for options about networks that the files do not hold: they would change nothing.
void check_options(const ImportOptions& options, bool is_teacher, bool is_autoencoder) {
  std::vector<std::string> useless;
  const auto check = [&](bool given, const char* name) {
    if (given) {
      useless.emplace_back(name);
    }
  };
  check(options.description && is_teacher, "--config");
  check(options.num_heads && (is_teacher || is_autoencoder), "--num-heads");
  check(options.prefer_ema && (is_teacher || is_autoencoder), "--ema");
  check(options.random_seed && is_teacher, "--init-missing random");
  check(options.teacher && !is_teacher, "--teacher");
  if (!useless.empty()) {
    const char* content = is_teacher       ? "a teacher"
                          : is_autoencoder ? "an autoencoder alone"
                                           : "no teacher";
    throw ConfigError(str(join(useless, ", "), " cannot apply: these files hold ", content,
                          "; leave the option out"));
  }
}

/// A teacher stands alone.
void check_combination(const GatheredWeights& gathered) {
  if (gathered.has(WeightPart::kTeacher) && gathered.parts.size() > 1) {
    throw WeightsError(
        str("'", gathered.parts.at(WeightPart::kTeacher).source(),
            "' is a teacher, which is no part of a model; import it into a folder of its own"));
  }
}

}  // namespace

bool widen_unet(io::TensorMap& tensors, std::int64_t in_channels) {
  const auto first = tensors.find("input_blocks.0.0.weight");
  if (first == tensors.end() || first->second.dim() != 4 ||
      2 * first->second.size(1) != in_channels) {
    return false;
  }
  first->second = models::widen_input(first->second);
  return true;
}

void import_weights(const std::vector<std::string>& paths, const fs::path& target,
                    const ImportOptions& options) {
  const GatheredWeights gathered = gather_weights(paths, options.prefer_ema);
  check_combination(gathered);
  const bool is_teacher = gathered.has(WeightPart::kTeacher);
  const bool is_autoencoder =
      gathered.has(WeightPart::kAutoencoder) && gathered.parts.size() == 1 && !options.random_seed;
  check_options(options, is_teacher, is_autoencoder);
  if (is_teacher) {
    import_teacher(gathered, target, options);
    return;
  }
  if (is_autoencoder) {
    import_autoencoder(gathered, target, options);
    return;
  }
  if (!options.random_seed) {
    require_part(gathered, WeightPart::kAutoencoder,
                 "CompVis kl-f8, diffusers' AutoencoderKL, the vae of a model folder");
    require_part(gathered, WeightPart::kUNet, "CompVis lsun_churches256, a model's unet");
  }
  save_model(target, assemble(gathered, options));
  log::info(str("model in '", target.string(), "'"));
}

}  // namespace leaf
