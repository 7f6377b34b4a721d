#include "config/check.h"

#include <cstdint>

#include "leaf/config/key_names.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

using Found = std::optional<Problem>;

/// Far more channels than any network has.
constexpr std::int64_t kWidest = 65536;
/// More levels than any image has halvings.
constexpr std::size_t kMaxLevels = 12;

bool is_tiny(const Config& c) { return c.model.autoencoder.type == models::AutoencoderType::kTiny; }

/// Whether there is a U-Net of the configuration's shape.
bool has_unet(const Config& c) {
  return c.task == Task::kSegmentation ||
         (c.task == Task::kDistill && c.distill.unet == DistilledUNet::kNew);
}

Found check_levels(const std::string& key, std::size_t levels) {
  if (levels < 1 || levels > kMaxLevels) {
    return Problem{{key}, str(key, " has ", levels, " levels; give 1 to ", kMaxLevels, " numbers")};
  }
  return {};
}

Found check_widths(const std::string& base_key, std::int64_t base, const std::string& factors_key,
                   const std::vector<std::int64_t>& factors) {
  for (const auto factor : factors) {
    if (base * factor > kWidest) {
      return Problem{{base_key, factors_key},
                     str(base_key, " ", base, " times ", factor, " (", factors_key, ") is ",
                         base * factor, " channels, more than ", kWidest, "; lower one of them")};
    }
    if (base * factor % models::kNormGroups != 0) {
      return Problem{
          {base_key, factors_key},
          str(base_key, " ", base, " times ", factor, " (", factors_key, ") is ", base * factor,
              ", not a multiple of ", models::kNormGroups, " as group normalisation needs; make ",
              base_key, " a multiple of ", models::kNormGroups)};
    }
  }
  return {};
}

Found tiny_levels(const Config& c) {
  const auto& widths = c.model.autoencoder.widths;
  if (widths.size() < 2 || widths.size() > kMaxLevels) {
    return Problem{{"model.autoencoder.widths"},
                   str("model.autoencoder.widths has ", widths.size(), " levels; give 2 to ",
                       kMaxLevels, " numbers")};
  }
  for (const auto width : widths) {
    if (width > kWidest) {
      return Problem{{"model.autoencoder.widths"},
                     str("model.autoencoder.widths has ", width, " channels, more than ", kWidest,
                         "; lower it")};
    }
  }
  return {};
}

Found autoencoder_levels(const Config& c) {
  return is_tiny(c) ? tiny_levels(c)
                    : check_levels("model.autoencoder.ch_mult", c.model.autoencoder.ch_mult.size());
}

Found autoencoder_widths(const Config& c) {
  return is_tiny(c) ? Found{}
                    : check_widths("model.autoencoder.ch", c.model.autoencoder.ch,
                                   "model.autoencoder.ch_mult", c.model.autoencoder.ch_mult);
}

Found unet_levels(const Config& c) {
  return has_unet(c) ? check_levels("model.unet.channel_mult", c.model.unet.channel_mult.size())
                     : Found{};
}

Found unet_widths(const Config& c) {
  return has_unet(c) ? check_widths("model.unet.model_channels", c.model.unet.model_channels,
                                    "model.unet.channel_mult", c.model.unet.channel_mult)
                     : Found{};
}

Found attention_rates(const Config& c) {
  const auto levels = c.model.unet.channel_mult.size();
  for (const auto rate : c.model.unet.attention_resolutions) {
    const bool is_level_rate = (rate & (rate - 1)) == 0 && rate < (std::int64_t{1} << levels);
    if (has_unet(c) && !is_level_rate) {
      return Problem{{"model.unet.attention_resolutions", "model.unet.channel_mult"},
                     str("model.unet.attention_resolutions has ", rate, ", but the ", levels,
                         " levels of model.unet.channel_mult have the rates 1 to ",
                         std::int64_t{1} << (levels - 1), " (powers of two); remove it")};
    }
  }
  return {};
}

Found attention_heads(const Config& c) {
  const auto& unet = c.model.unet;
  const auto level = models::level_that_heads_do_not_divide(unet);
  if (!has_unet(c) || !level) {
    return {};
  }
  const auto width = unet.model_channels * unet.channel_mult[*level];
  return Problem{{"model.unet.num_heads", "model.unet.model_channels"},
                 str("model.unet.num_heads ", unet.num_heads, " does not divide the width ", width,
                     " of level ", *level, "; choose a divisor of ", width)};
}

Found resolution(const Config& c) {
  const auto size = c.data.resolution;
  const auto halvings = has_unet(c) ? c.model.unet.channel_mult.size() - 1 : 0;
  const auto factor = models::downsampling(c.model.autoencoder);
  const auto unit = factor << halvings;
  if (size % unit == 0) {
    return {};
  }
  const auto below = size / unit * unit;
  return Problem{
      {"data.resolution", "model.unet.channel_mult",
       is_tiny(c) ? "model.autoencoder.widths" : "model.autoencoder.ch_mult"},
      str("data.resolution ", size, " is not a multiple of ", unit, " (autoencoder downsampling ",
          factor, has_unet(c) ? str(", U-Net with ", halvings + 1, " levels") : "", "); use ",
          below > 0 ? str(below, " or ") : "", below + unit)};
}

Found betas(const Config& c) {
  const auto& s = c.diffusion.scheduler;
  const bool uses_betas = s.beta_schedule != diffusion::BetaSchedule::kSquaredcosCapV2;
  if (!uses_betas || s.beta_end > s.beta_start) {
    return {};
  }
  return Problem{{"diffusion.beta_end", "diffusion.beta_start"},
                 str("diffusion.beta_end ", s.beta_end, " must be above diffusion.beta_start ",
                     s.beta_start, "; raise the one or lower the other")};
}

Found timesteps(const Config& c) {
  const auto& s = c.diffusion.scheduler;
  if (s.ddim.steps_offset >= s.num_train_timesteps) {
    return Problem{{"diffusion.steps_offset", "diffusion.num_train_timesteps"},
                   str("diffusion.steps_offset ", s.ddim.steps_offset,
                       " must be below diffusion.num_train_timesteps ", s.num_train_timesteps)};
  }
  if (c.validation.num_inference_steps > s.num_train_timesteps) {
    return Problem{{"validation.num_inference_steps", "diffusion.num_train_timesteps"},
                   str("validation.num_inference_steps ", c.validation.num_inference_steps,
                       " must not exceed diffusion.num_train_timesteps ", s.num_train_timesteps)};
  }
  if (!offset_fits(s, c.validation.num_inference_steps)) {
    return Problem{{"validation.num_inference_steps", "diffusion.steps_offset"},
                   str("validation.num_inference_steps ", c.validation.num_inference_steps,
                       " with diffusion.steps_offset ", s.ddim.steps_offset,
                       " begins beyond the last timestep; lower one of them")};
  }
  if (c.diffusion.training_timesteps == TrainingTimesteps::kLast &&
      c.validation.num_inference_steps > 1) {
    return Problem{{"validation.num_inference_steps", "diffusion.training_timesteps"},
                   str("validation.num_inference_steps ", c.validation.num_inference_steps,
                       " needs a model that knows every timestep; set it to 1, or "
                       "diffusion.training_timesteps to uniform")};
  }
  return {};
}

/// What is wrong with fields of the data, in terms of their keys.
Found in_keys(const std::optional<data::FieldProblem>& problem) {
  if (!problem) {
    return {};
  }
  Problem found{{}, with_names(problem->message, key_names())};
  for (const std::string& field : problem->fields) {
    found.keys.push_back(with_names(field, key_names()));
  }
  return found;
}

Found split(const Config& c) { return in_keys(data::find_split_problem(c.data)); }

Found window(const Config& c) {
  const data::Intensity& intensity = c.data.intensity;
  const bool is_window = intensity.rule == data::IntensityRule::kWindow;
  if (is_window && !(intensity.low < intensity.high)) {
    return Problem{{"data.window", "data.intensity"},
                   "data.intensity window needs data.window: [low, high], low below high"};
  }
  if (!is_window && intensity.low != intensity.high) {
    return Problem{{"data.window", "data.intensity"},
                   str("data.window is given, but data.intensity is ", enum_text(intensity.rule),
                       "; set data.intensity: window or remove data.window")};
  }
  return {};
}

Found scales(const Config& c) {
  constexpr double kLargest = 10;
  const data::Augmentation& a = c.data.augment;
  const bool is_range =
      a.scale_low >= 1 / kLargest && a.scale_low <= a.scale_high && a.scale_high <= kLargest;
  if ((a.scale_low == 0 && a.scale_high == 0) || is_range) {
    return {};
  }
  return Problem{{"data.augment.scale"},
                 str("data.augment.scale [", a.scale_low, ", ", a.scale_high,
                     "] is no range of factors; give [low, high] within 0.1 to ", kLargest)};
}

/// A tiny autoencoder gives latents, no distributions, and their scale is its own.
Found latents(const Config& c) {
  if (!is_tiny(c)) {
    return {};
  }
  if (c.model.scale_by_std) {
    return Problem{{"model.autoencoder.scale_by_std", "model.autoencoder.type"},
                   "model.autoencoder.scale_by_std is for kl autoencoders; set it to false"};
  }
  if (c.diffusion.mask_latent == MaskLatent::kSample) {
    return Problem{{"diffusion.mask_latent", "model.autoencoder.type"},
                   "diffusion.mask_latent sample is for kl autoencoders; set it to mode"};
  }
  return {};
}

/// A light model is tiny, and learns from another.
Found distilled(const Config& c) {
  if (c.task != Task::kDistill) {
    return {};
  }
  if (!is_tiny(c)) {
    return Problem{{"model.autoencoder.type", "task"},
                   "task distill makes tiny encoders and decoders; set model.autoencoder.type: "
                   "tiny and choose model.autoencoder.widths"};
  }
  if (c.model.teacher.empty()) {
    return Problem{{"model.teacher", "task"},
                   "task distill needs model.teacher: the folder of the trained model"};
  }
  return {};
}

Found folder_pair(const Config& c) {
  const auto& d = c.data;
  if (d.dataset == "folder" && d.images == d.masks && d.mask_prefix.empty() &&
      d.mask_suffix.empty()) {
    return Problem{{"data.masks", "data.images"},
                   str("data.images and data.masks are both '", d.images,
                       "': every image would be its own mask; set data.masks, data.mask_prefix or "
                       "data.mask_suffix")};
  }
  return {};
}

Found classes(const Config& c) {
  const data::MaskClasses& classes = c.data.classes;
  const std::size_t count = classes.list.size();
  if (classes.coding == data::ClassCoding::kChannels && count > data::kMostNestedClasses) {
    return Problem{
        {"data.class_coding", "data.classes"},
        str("data.class_coding channels has room for ", data::kMostNestedClasses,
            " classes, the background among them, but data.classes has ", count, "; use colours")};
  }
  if (classes.by_value() && c.data.ignore_value != data::kNoIgnoreValue) {
    return Problem{{"data.ignore_value", "data.classes"},
                   str("data.ignore_value does not count where data.classes has values; put "
                       "ignore=",
                       c.data.ignore_value, " there")};
  }
  return {};
}

Found teacher(const Config& c) {
  if (c.alignment.teacher.empty()) {
    return Problem{
        {"alignment.teacher"},
        "alignment.teacher is empty; name a teacher, or none to train without alignment"};
  }
  const bool aligned =
      c.task == Task::kSegmentation && c.alignment.teacher != "none" && c.alignment.lambda > 0;
  if (aligned && c.model.unet.channel_mult.size() < 2) {
    return Problem{
        {"model.unet.channel_mult", "alignment.teacher"},
        "model.unet.channel_mult has one level, but alignment needs the first map of the "
        "second; add a level, or set alignment.teacher: none"};
  }
  return {};
}

/// A KL autoencoder that no validation sees.
bool is_never_measured(const Config& config) {
  const data::SplitConfig& split = config.data.split;
  const bool by_share = split.strategy == data::SplitStrategy::kRandom ||
                        split.strategy == data::SplitStrategy::kTail ||
                        split.strategy == data::SplitStrategy::kGroups;
  return config.task == Task::kAutoencoder && !is_tiny(config) && by_share && split.validation == 0;
}

}  // namespace

std::optional<Problem> find_problem(const Config& config) {
  // Later checks rely on earlier ones: levels before everything that shifts by them.
  for (const auto find : {autoencoder_levels, unet_levels, autoencoder_widths, unet_widths,
                          attention_rates, attention_heads, resolution, betas, timesteps, split,
                          window, scales, latents, classes, distilled, folder_pair, teacher}) {
    if (auto problem = find(config)) {
      return problem;
    }
  }
  return {};
}

std::vector<std::string> find_oddities(const Config& config) {
  std::vector<std::string> oddities;
  const auto steps = config.train.max_train_steps;
  if (config.validation.start_steps > steps) {
    oddities.push_back(str("validation.start_steps ", config.validation.start_steps,
                           " is past train.max_train_steps ", steps,
                           ": only the last step is validated"));
  }
  if (config.train.num_warmup_steps >= steps) {
    oddities.push_back(str("train.num_warmup_steps ", config.train.num_warmup_steps,
                           " is not below train.max_train_steps ", steps,
                           ": the learning rate never reaches train.learning_rate"));
  }
  if (is_tiny(config) && config.task == Task::kSegmentation &&
      config.diffusion.scheduler.clip_sample) {
    oddities.push_back(str(
        "diffusion.clip_sample true with model.autoencoder.type tiny: its latents reach beyond ",
        "the clamp; set diffusion.clip_sample to false"));
  }
  if (is_never_measured(config)) {
    oddities.emplace_back(
        "data.split.validation 0 with task autoencoder: latents are brought to unit variance by "
        "what validation measures; keep some images for it");
  }
  return oddities;
}

void check(const Config& config) {
  if (const auto problem = find_problem(config)) {
    throw ConfigError(problem->message);
  }
}

}  // namespace leaf::config
