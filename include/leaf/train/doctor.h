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

/// Whether a build, with CUDA or not, goes with the driver whose account
/// (/proc/driver/nvidia/version) begins with the line `text`; empty: there is none.
Finding judge_driver(const std::string& text, bool cuda_build);

/// Whether kernels for `architectures`, as CMAKE_CUDA_ARCHITECTURES has them with blanks between
/// ("80 90-real"), run on a card of that compute capability (90 is 9.0): machine code does on its
/// own generation's cards from its number on, intermediate code, which "-real" leaves out, on all
/// later ones.
Finding judge_card(const std::string& name, int capability, const std::string& architectures);

/// Whether leaf's CUDA toolkit ("13.0.88") and LibTorch's (13000 is 13.0) go together: libraries of
/// one major version do.
Finding judge_toolkit(const std::string& toolkit, long libtorch);

/// Looks at LibTorch, GPU, driver, cuDNN, memory, threads, weights and data as a run of `config` on
/// `device` would find them. Trains nothing, and reads file names alone.
std::vector<Finding> examine(const Config& config, c10::Device device);

}  // namespace leaf
