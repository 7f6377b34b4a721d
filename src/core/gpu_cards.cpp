#include "core/gpu_cards.h"

#include <ATen/Context.h>
#include <cuda_runtime_api.h>

namespace leaf {

std::vector<GpuCard> gpu_cards() {
  std::vector<GpuCard> cards;
  const auto count = static_cast<int>(at::getNumGPUs());
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp card;
    if (cudaGetDeviceProperties(&card, i) == cudaSuccess) {
      cards.push_back({.name = card.name, .capability = 10 * card.major + card.minor});
    }
  }
  return cards;
}

std::string cuda_toolkit() { return LEAF_CUDA_TOOLKIT; }
std::string cuda_architectures() { return LEAF_CUDA_ARCHITECTURES; }

}  // namespace leaf
