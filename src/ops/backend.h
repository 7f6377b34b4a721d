#pragma once

#include <ATen/core/TensorBody.h>

#include <functional>
#include <initializer_list>

namespace leaf::ops {

/// Whose kernels run an operator.
enum class Backend {
  kLibTorch,  ///< the composed form
  kCpu,       ///< ops/cpu
  kCuda,      ///< ops/cuda
};

/// The backend for tensors of one device and type: kCpu takes float32. Which shapes and layouts it
/// gains from is each operator's own question; what a backend does not take is LibTorch's.
Backend backend_for(c10::Device device, at::ScalarType type);

/// The backend that takes all of these tensors, of which undefined ones do not count; kLibTorch
/// where they are of several, and under autocast on the CPU, which changes types on the way.
Backend backend_of(std::initializer_list<std::reference_wrapper<const at::Tensor>> tensors);

}  // namespace leaf::ops
