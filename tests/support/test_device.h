#pragma once

#include <c10/core/Device.h>

#include <cstdlib>

#include "leaf/core/device.h"

namespace leaf::test {

/// Where the tests that take a device compute: LEAF_TEST_DEVICE ("cuda"), the CPU without.
inline c10::Device test_device() {
  const char* name = std::getenv("LEAF_TEST_DEVICE");
  const c10::Device device = parse_device(name == nullptr ? "cpu" : name);
  set_up_gpu(device);
  return device;
}

/// Largest relative error (2-norm) against float64, the published numbers or float32 on the CPU, by
/// arithmetic: of one operator, of whole networks and their losses, and of what training steps do
/// to the weights (AdamW divides by a gradient's size, so that small gradients' errors count in
/// full).
struct Tolerance {
  double one_operator;
  double network;
  double update;
};
inline constexpr Tolerance kFloat32Tolerance{1e-5, 1e-4, 1e-2};
inline constexpr Tolerance kTensorFloat32Tolerance{1e-3, 1e-2, 1e-1};
inline constexpr Tolerance kHalfTolerance{2e-3, 1e-2, 1e-1};
inline constexpr Tolerance kBFloat16Tolerance{1e-2, 1e-1, 5e-1};

/// The same of two runs of one program, whose weights agree to the bit on the CPU and to rounding
/// on a GPU.
inline double repeat_tolerance(c10::Device device) { return device.is_cpu() ? 0.0 : 1e-3; }

}  // namespace leaf::test
