#include "diffusion/sampler.h"

#include <cstdint>

#include "ddim_sampler.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::diffusion {
namespace {

const Sampler& configured(const SchedulerConfig& config) {
  const Sampler* sampler = find_sampler(config.sampler);
  if (sampler == nullptr) {
    throw ConfigError(str("there is no sampler '", config.sampler, "'"));
  }
  return *sampler;
}

}  // namespace

const std::vector<Sampler>& all_samplers() {
  static const std::vector<Sampler> table{
      {.name = "DDIMScheduler", .timesteps = ddim_timesteps, .sample = sample_ddim},
  };
  return table;
}

const Sampler* find_sampler(std::string_view name) {
  for (const Sampler& sampler : all_samplers()) {
    if (sampler.name == name) {
      return &sampler;
    }
  }
  return nullptr;
}

std::vector<std::int64_t> inference_timesteps(const SchedulerConfig& config, std::int64_t steps) {
  return configured(config).timesteps(config, steps);
}

at::Tensor sample(const NoiseScheduler& scheduler, const Denoiser& denoiser,
                  const at::Tensor& noise, std::int64_t steps) {
  return configured(scheduler.config()).sample(scheduler, denoiser, noise, steps);
}

}  // namespace leaf::diffusion
