#pragma once

#include <string>
#include <vector>

namespace leaf {

/// A GPU of this machine.
struct GpuCard {
  std::string name;
  int capability = 0;  ///< of its kernels: 90 is 9.0
};

/// Those that a program sees; none in a build without CUDA.
std::vector<GpuCard> gpu_cards();

/// What this build was compiled with: the CUDA toolkit's version ("13.0.88") and the architectures
/// of its kernels as CMake has them ("80 90"); both empty without CUDA.
std::string cuda_toolkit();
std::string cuda_architectures();

}  // namespace leaf
