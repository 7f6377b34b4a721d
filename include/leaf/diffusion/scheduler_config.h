#pragma once

#include <cstdint>

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

/// The noise schedule and DDIM's options (eta 0); the defaults are the paper's.
struct SchedulerConfig {
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  double beta_start = 0.0015;
  double beta_end = 0.0155;
  std::int64_t num_train_timesteps = 1000;
  PredictionType prediction_type = PredictionType::kSample;
  /// Clamp the predicted clean latent to [-clip_sample_range, clip_sample_range] at inference.
  bool clip_sample = true;
  double clip_sample_range = 1.0;
  bool set_alpha_to_one = true;
  std::int64_t steps_offset = 0;
  TimestepSpacing timestep_spacing = TimestepSpacing::kLeading;
};

}  // namespace leaf::diffusion
