#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace leaf::metrics {

/// A picture of 0 and 1 in rows.
struct Pixels {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> values;

  std::uint8_t at(std::size_t row, std::size_t column) const {
    return values[row * width + column];
  }
};

/// Any tensor [H, W]: 1 where it is not 0.
Pixels to_pixels(const at::Tensor& mask);

/// Values [H,W], or as one row those that are 0 in `ignored`, where it is defined.
at::Tensor scored_pixels(const at::Tensor& values, const at::Tensor& ignored);

}  // namespace leaf::metrics
