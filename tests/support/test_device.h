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

/// Largest relative error against float64 or the published numbers, by arithmetic; one operator,
/// one whole network.
struct Tolerance {
  double one_operator;
  double network;
};
inline constexpr Tolerance kFloat32Tolerance{1e-5, 1e-4};
inline constexpr Tolerance kTensorFloat32Tolerance{1e-3, 1e-2};
inline constexpr Tolerance kHalfTolerance{2e-3, 1e-2};
inline constexpr Tolerance kBFloat16Tolerance{1e-2, 1e-1};

}  // namespace leaf::test
