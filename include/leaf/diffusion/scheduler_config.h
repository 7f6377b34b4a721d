#pragma once

#include <cstdint>
#include <string>

#include "leaf/core/enum_names.h"

namespace leaf::diffusion {

/// Names and formulas of the diffusers library. CompVis calls kScaledLinear "linear".
enum class BetaSchedule { kLinear, kScaledLinear, kSquaredcosCapV2 };
inline EnumNames<BetaSchedule> enum_names(BetaSchedule /*tag*/) {
  return {{BetaSchedule::kLinear, "linear"},
          {BetaSchedule::kScaledLinear, "scaled_linear"},
          {BetaSchedule::kSquaredcosCapV2, "squaredcos_cap_v2"}};
}

/// What the U-Net predicts: the noise, v = alpha * noise - sigma * latent, or the clean latent
/// (x0).
enum class PredictionType { kEpsilon, kVPrediction, kSample };
inline EnumNames<PredictionType> enum_names(PredictionType /*tag*/) {
  return {{PredictionType::kEpsilon, "epsilon"},
          {PredictionType::kVPrediction, "v_prediction"},
          {PredictionType::kSample, "sample"}};
}

enum class TimestepSpacing { kLeading, kTrailing, kLinspace };
inline EnumNames<TimestepSpacing> enum_names(TimestepSpacing /*tag*/) {
  return {{TimestepSpacing::kLeading, "leading"},
          {TimestepSpacing::kTrailing, "trailing"},
          {TimestepSpacing::kLinspace, "linspace"}};
}

/// DDIM with eta 0 (diffusers' DDIMScheduler).
struct DdimOptions {
  /// Past the last step abar is 1: the loop ends at the clean latent. Otherwise it is abar_0, and a
  /// little noise stays.
  bool set_alpha_to_one = true;
  /// Added to the timesteps, where `leading` places more than one; one step starts at the end.
  std::int64_t steps_offset = 0;
  /// How several steps are spread over the schedule, as diffusers names it.
  TimestepSpacing timestep_spacing = TimestepSpacing::kLeading;
};

/// The noise schedule and how latents are sampled from it; the defaults are the paper's.
struct SchedulerConfig {
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  /// Variance of the noise added at the first and the last of `num_train_timesteps` timesteps.
  double beta_start = 0.0015;
  double beta_end = 0.0155;
  std::int64_t num_train_timesteps = 1000;
  PredictionType prediction_type = PredictionType::kSample;
  /// Clamp the predicted clean latent to [-clip_sample_range, clip_sample_range] at inference.
  bool clip_sample = true;
  double clip_sample_range = 1.0;
  /// The row of the table of samplers (sampler.h), by diffusers' name.
  std::string sampler = "DDIMScheduler";
  DdimOptions ddim = {};
};

/// True where `leading` timesteps, moved by the offset, stay inside the schedule.
inline bool offset_fits(const SchedulerConfig& config, std::int64_t steps) {
  const std::int64_t first =
      (steps - 1) * (config.num_train_timesteps / steps) + config.ddim.steps_offset;
  return steps == 1 || config.ddim.timestep_spacing != TimestepSpacing::kLeading ||
         first < config.num_train_timesteps;
}

}  // namespace leaf::diffusion
