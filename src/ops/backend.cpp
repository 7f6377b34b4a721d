#include "ops/backend.h"

#include <ATen/autocast_mode.h>

#include <optional>

namespace leaf::ops {

Backend backend_for(c10::Device device, at::ScalarType type) {
  if (device.is_cpu() && type == at::kFloat) {
    return Backend::kCpu;
  }
  return device.is_cuda() ? Backend::kCuda : Backend::kLibTorch;
}

Backend backend_of(std::initializer_list<std::reference_wrapper<const at::Tensor>> tensors) {
  std::optional<Backend> common;
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.defined()) {
      continue;
    }
    const Backend backend = backend_for(tensor.device(), tensor.scalar_type());
    if (common.value_or(backend) != backend) {
      return Backend::kLibTorch;
    }
    common = backend;
  }
  if (common == Backend::kCpu && at::autocast::is_autocast_enabled(at::kCPU)) {
    return Backend::kLibTorch;
  }
  return common.value_or(Backend::kLibTorch);
}

}  // namespace leaf::ops
