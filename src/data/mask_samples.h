#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace leaf::data {

/// Calls `use` with a pointer to the samples of a contiguous tensor in their own type.
template <typename Use>
void with_samples(const at::Tensor& samples, const Use& use) {
  switch (samples.scalar_type()) {
    case at::kByte:
      use(samples.const_data_ptr<std::uint8_t>());
      return;
    case at::kInt:
      use(samples.const_data_ptr<std::int32_t>());
      return;
    default:
      use(samples.const_data_ptr<float>());
  }
}

}  // namespace leaf::data
