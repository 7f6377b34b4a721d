#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "leaf/config/config.h"

namespace leaf {

/// What a run rests on, how it stands, and what is to be done; nothing where all is well.
struct Finding {
  std::string subject;
  std::string state;
  std::string advice;

  bool fine() const { return advice.empty(); }
};

/// Looks at LibTorch, GPU, driver, cuDNN, memory, threads, weights and data as a run of `config` on
/// `device` would find them. Trains nothing, and reads file names alone.
std::vector<Finding> examine(const Config& config, c10::Device device);

}  // namespace leaf
