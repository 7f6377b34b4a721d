#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/conv2d.h"
#include "ops/cpu/conv.h"
#include "support/golden.h"

// A convolution with weights and a map, its result in double, and the comparison.
namespace leaf::ops::test {

inline at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

inline at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

struct Shape {
  std::int64_t images, channels, out_channels, height, width;
  std::int64_t kernel = 3, stride = 1, padding = 1;
};

struct Layer {
  explicit Layer(const Shape& s)
      : shape(s),
        x(channels_last(normal({s.images, s.channels, s.height, s.width}, 1))),
        parameters{.weight = normal({s.out_channels, s.channels, s.kernel, s.kernel}, 2) /
                             std::sqrt(static_cast<double>(s.channels * s.kernel * s.kernel)),
                   .bias = normal({s.out_channels}, 3),
                   .stride = s.stride,
                   .padding = s.padding} {}

  cpu::PackedFilters pack(cpu::ConvForm form, cpu::FilterLayout layout) const {
    return cpu::pack_filters(parameters.weight, form, layout,
                             {.stride = shape.stride, .padding = shape.padding});
  }

  /// In double.
  at::Tensor expected(const at::Tensor& input, bool upsample = false) const {
    const at::Tensor wide = input.to(at::kDouble);
    return at::conv2d(
        upsample ? at::upsample_nearest2d(wide, {2 * wide.size(2), 2 * wide.size(3)}) : wide,
        parameters.weight.to(at::kDouble), parameters.bias.to(at::kDouble), shape.stride,
        shape.padding);
  }

  Shape shape;
  at::Tensor x;
  ConvParameters parameters;
};

inline void expect_close(const at::Tensor& ours, const at::Tensor& expected, double tolerance,
                         const Shape& shape) {
  ASSERT_EQ(ours.sizes(), expected.sizes());
  EXPECT_LE(leaf::test::relative_error(ours, expected), tolerance)
      << shape.images << "x" << shape.channels << "->" << shape.out_channels << " " << shape.height
      << "x" << shape.width << " kernel " << shape.kernel;
}

}  // namespace leaf::ops::test
