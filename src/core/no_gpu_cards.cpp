// Without CUDA there is no GPU to see.
#include "core/gpu_cards.h"

namespace leaf {

std::vector<GpuCard> gpu_cards() { return {}; }
std::string cuda_toolkit() { return {}; }
std::string cuda_architectures() { return {}; }

}  // namespace leaf
