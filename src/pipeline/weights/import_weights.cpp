#include "leaf/pipeline/import_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "models/autoencoder.h"
#include "models/vision_transformer.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"
#include "pipeline/weights/describe_weights.h"
#include "pipeline/weights/gather_weights.h"
#include "pipeline/weights/load_networks.h"

namespace leaf {
namespace fs = std::filesystem;
using io::WeightPart;
using nlohmann::json;
namespace {

/// "unet=FILE" or "FILE"; a file whose own name has such a beginning is taken for what it is.
WeightSource parse_source(const std::string& text) {
  for (const auto& [part, name] : enum_names(WeightPart{})) {
    if (text.starts_with(name + "=") && !fs::exists(text)) {
      return {text.substr(name.size() + 1), part};
    }
  }
  return {text};
}

void check_heads(const models::UNetConfig& unet) {
  if (const auto level = models::level_that_heads_do_not_divide(unet)) {
    throw ConfigError(str("the U-Net's ", unet.model_channels * unet.channel_mult[*level],
                          " channels cannot be split over ", unet.num_heads,
                          " heads; state the right number with ImportOptions::num_heads"));
  }
}

ModelDescription describe(const GatheredWeights& gathered, const ImportOptions& options) {
  ModelDescription description =
      options.description ? *options.description : describe_gathered(gathered);
  if (options.description && gathered.has(WeightPart::kDecoder)) {
    description.decoder = describe_gathered(gathered).decoder;
  }
  description.unet.num_heads = options.num_heads.value_or(description.unet.num_heads);
  description.autoencoder.scaling_factor =
      gathered.scaling_factor.value_or(description.autoencoder.scaling_factor);
  if (!gathered.index.empty()) {
    description.distilled_from = parse_json(gathered.index, origin_from_json);
  }
  check_heads(description.unet);
  check_description(description);
  return description;
}

void import_autoencoder(GatheredWeights gathered, const fs::path& target,
                        const ImportOptions& options) {
  const models::AutoencoderConfig config =
      options.description ? options.description->autoencoder : autoencoder_of(gathered);
  const auto autoencoder = models::make_autoencoder(config);
  load_network(*autoencoder, std::move(gathered), WeightPart::kAutoencoder);
  save_autoencoder(target, *autoencoder, config);
  log::info(
      str("autoencoder in '", target.string(), "'; ModelSection::autoencoder_weights takes it"));
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

/// `name`; throws ConfigError when no teacher has that name, or these weights are another one.
std::string chosen_teacher(const std::string& name, const std::vector<std::string>& fitting) {
  models::vision_transformer_config(name);  // throws for unknown names
  if (std::find(fitting.begin(), fitting.end(), name) == fitting.end()) {
    throw ConfigError(str("ImportOptions::teacher: these weights are not ", name, "; ",
                          fitting.empty() ? std::string("no known teacher has their shape")
                                          : str("they can be ", join(fitting, " or "))));
  }
  return name;
}

void import_teacher(GatheredWeights gathered, const fs::path& target,
                    const ImportOptions& options) {
  const GatheredPart& part = gathered.parts.at(WeightPart::kTeacher);
  const auto shape = describe_vision_transformer(part.tensors, part.source());
  auto names = fitting_teachers(shape, stated_activation(part));
  const std::string stated = stated_teacher(gathered);
  if (options.teacher) {
    names = {chosen_teacher(*options.teacher, names)};
  } else if (std::find(names.begin(), names.end(), stated) != names.end()) {
    names = {stated};
  }
  models::VisionTransformer teacher(
      names.empty() ? shape : models::vision_transformer_config(names.front()));
  load_network(teacher, std::move(gathered), WeightPart::kTeacher);
  save_teacher(target, to_json(teacher.config()), io::state_dict(teacher));
  if (names.empty()) {
    log::warn("no AlignmentSection::teacher has the shape of this vision transformer");
    return;
  }
  log::info(str("teacher in '", target.string(),
                "'; AlignmentSection::weights takes it, with AlignmentSection::teacher: ",
                join(names, " or ")));
  if (names.size() > 1) {
    log::warn(str("these teachers have the same shape; '", names.front(),
                  "' is taken (ImportOptions::teacher states which it is)"));
  }
}

// ---- what the weights make up ----

/// What to add, for a network that cannot be missing.
void require_part(const GatheredWeights& gathered, WeightPart part, const char* example) {
  if (!gathered.has(part)) {
    throw WeightsError(str("these files hold no ", enum_text(part), "; add one that does (",
                           example, "), or ImportOptions::random_seed"));
  }
}

/// Throws ConfigError for options about networks that the files do not hold: they would change
/// nothing.
void check_options(const ImportOptions& options, bool is_teacher, bool is_autoencoder) {
  std::vector<std::string> useless;
  const auto check = [&](bool given, const char* name) {
    if (given) {
      useless.emplace_back(name);
    }
  };
  check(options.description && is_teacher, "ImportOptions::description");
  check(options.num_heads && (is_teacher || is_autoencoder), "ImportOptions::num_heads");
  check(options.prefer_ema && (is_teacher || is_autoencoder), "ImportOptions::prefer_ema");
  check(options.random_seed && is_teacher, "ImportOptions::random_seed");
  check(options.teacher && !is_teacher, "ImportOptions::teacher");
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

void import_weights(const std::vector<std::string>& paths, const fs::path& target,
                    const ImportOptions& options) {
  std::vector<WeightSource> sources;
  std::transform(paths.begin(), paths.end(), std::back_inserter(sources), parse_source);
  GatheredWeights gathered = gather_weights(sources, options.prefer_ema);
  check_combination(gathered);
  const bool is_teacher = gathered.has(WeightPart::kTeacher);
  const bool is_autoencoder =
      gathered.has(WeightPart::kAutoencoder) && gathered.parts.size() == 1 && !options.random_seed;
  check_options(options, is_teacher, is_autoencoder);
  if (is_teacher) {
    import_teacher(std::move(gathered), target, options);
    return;
  }
  if (is_autoencoder) {
    import_autoencoder(std::move(gathered), target, options);
    return;
  }
  if (!options.random_seed) {
    require_part(gathered, WeightPart::kAutoencoder,
                 "CompVis kl-f8, diffusers' AutoencoderKL, the vae of a model folder");
    require_part(gathered, WeightPart::kUNet, "CompVis lsun_churches256, a model's unet");
  }
  const ModelDescription description = describe(gathered, options);
  save_model(target, load_networks(description, std::move(gathered), options.random_seed));
  log::info(str("model in '", target.string(), "'"));
}

}  // namespace leaf
