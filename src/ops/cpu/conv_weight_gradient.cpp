#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

#include "conv_work.h"

namespace leaf::ops::cpu {
namespace {

constexpr ConvForm kGradientForm = ConvForm::kF4x4;

/// Of the tiles first .. first + count - 1: inputs and gradients of outputs, transformed.
void transform_both(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
                    std::int64_t count, const TileBuffer& inputs, const TileBuffer& gradients) {
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    transform_tiles(problem, first + begin, end - begin, inputs.from(begin));
    transform_gradients(problem, y_gradient, first + begin, end - begin, gradients.from(begin));
  });
}

/// Adds the products of `count` tiles to the sums, or begins them. A plane's sums run over the
/// tiles in their order, whatever thread has it.
void add_products(const ConvProblem& problem, std::int64_t count, const Tiles& inputs,
                  const Tiles& gradients, bool add, const at::Tensor& sums) {
  at::parallel_for(0, sums.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      add_row_products({.x = inputs.data + p * inputs.plane,
                        .x_row = inputs.row,
                        .channels = problem.channels,
                        .y = gradients.data + p * gradients.plane,
                        .y_row = gradients.row,
                        .out_channels = problem.out_channels,
                        .count = count},
                       add, sums.mutable_data_ptr<float>() + p * sums.stride(0));
    }
  });
}

/// The products of transformed inputs and gradients, summed over all tiles: [planes, C, K'].
at::Tensor gradient_sums(const at::Tensor& x, const at::Tensor& y_gradient) {
  constexpr std::int64_t kCache = 2 * 1024 * 1024;  // floats that all threads share
  const std::int64_t channels = x.size(1);
  const std::int64_t out_channels = y_gradient.size(1);
  const std::int64_t planes = form_shape(kGradientForm).planes;
  const ConvProblem problem = make_problem(x,
                                           {.form = kGradientForm,
                                            .layout = FilterLayout::kTaps,
                                            .geometry = {},
                                            .kernel = 3,
                                            .channels = channels,
                                            .out_channels = out_channels,
                                            .panels = {}},
                                           y_gradient);
  const std::int64_t row_floats = row_stride(channels) + row_stride(out_channels);
  const std::int64_t each =
      std::clamp<std::int64_t>(kCache / (planes * row_floats), 1, problem.tiles);
  const TileBuffer inputs(kGradientForm, each, channels);
  const TileBuffer gradients(kGradientForm, each, out_channels);
  at::Tensor sums =
      at::empty({planes, channels, panel_count(out_channels) * panel_width()}, at::kFloat);
  for (std::int64_t first = 0; first < problem.tiles; first += each) {
    const std::int64_t count = std::min(each, problem.tiles - first);
    transform_both(problem, y_gradient.const_data_ptr<float>(), first, count, inputs, gradients);
    add_products(problem, count, inputs.from(0), gradients.from(0), /*add=*/first > 0, sums);
  }
  return sums;
}

}  // namespace

at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& y_gradient) {
  const at::Tensor sums = gradient_sums(x, y_gradient);
  const std::int64_t channels = x.size(1);
  const std::int64_t out_channels = y_gradient.size(1);
  at::Tensor taps = at::empty({3, 3, channels, out_channels}, at::kFloat);
  at::parallel_for(0, channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      transform_filter_gradient(sums.const_data_ptr<float>(), channels, out_channels, c,
                                taps.mutable_data_ptr<float>());
    }
  });
  return taps.permute({3, 2, 0, 1});
}

}  // namespace leaf::ops::cpu
