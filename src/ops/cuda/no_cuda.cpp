// The GPU's operators in a build without CUDA: none.
#include "group_norm_cuda.h"
#include "leaf/core/error.h"

namespace leaf::ops::cuda {

bool takes(const at::Tensor& /*x*/) { return false; }

at::Tensor normalise(const at::Tensor& /*x*/, const at::Tensor& /*gain*/,
                     const at::Tensor& /*offset*/, std::int64_t /*groups*/, double /*eps*/,
                     bool /*silu*/) {
  throw Error("this build has no GPU operators");
}

}  // namespace leaf::ops::cuda
