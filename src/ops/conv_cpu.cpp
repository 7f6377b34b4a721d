#include "conv_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace leaf::ops::cpu {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t panel_count(std::int64_t out_channels) {
  return divide_up(out_channels, panel_width());
}

/// Geometry and tiles; the other pointers are null.
ConvProblem make_problem(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& y) {
  const FormShape shape = form_shape(filters.form);
  // The phases of an upsampled map are computed over x, and need one position more than x has.
  const bool upsample = filters.form == ConvForm::kUpsample;
  const std::int64_t tile_rows = divide_up(upsample ? x.size(2) + 1 : y.size(2), shape.outputs);
  const std::int64_t tile_columns = divide_up(upsample ? x.size(3) + 1 : y.size(3), shape.outputs);
  return {.form = filters.form,
          .kernel = filters.kernel,
          .stride = filters.stride,
          .padding = filters.padding,
          .height = x.size(2),
          .width = x.size(3),
          .channels = x.size(1),
          .out_height = y.size(2),
          .out_width = y.size(3),
          .out_channels = y.size(1),
          .tile_rows = tile_rows,
          .tile_columns = tile_columns,
          .tiles = x.size(0) * tile_rows * tile_columns,
          .x = x.const_data_ptr<float>(),
          .prologue = {},
          .panels = nullptr,
          .bias = nullptr,
          .residual = nullptr,
          .y = nullptr};
}

/// Distance of transformed tiles in floats: a whole number of the widest vectors, and never a power
/// of two, which would crowd a few sets of the cache.
std::int64_t row_stride(std::int64_t length) {
  constexpr std::int64_t kLongest = 16;
  return (divide_up(length, kLongest) + 1) * kLongest;
}

/// Memory for `count` transformed tiles.
class TileBuffer {
 public:
  TileBuffer(ConvForm form, std::int64_t count, std::int64_t length)
      : row_(row_stride(length)),
        plane_(count * row_),
        memory_(at::empty({form_shape(form).planes * plane_}, at::kFloat)) {}

  std::int64_t row() const { return row_; }
  Tiles from(std::int64_t tile) const {
    return {.data = memory_.mutable_data_ptr<float>() + tile * row_, .row = row_, .plane = plane_};
  }

 private:
  std::int64_t row_;
  std::int64_t plane_;
  at::Tensor memory_;
};

at::Tensor make_products(const ConvProblem& problem, std::int64_t count) {
  return at::empty({form_shape(problem.form).planes * count * panel_width()}, at::kFloat);
}

/// Each thread takes blocks of tiles whose transforms stay in its cache, and passes all filters
/// over them: for maps that outweigh the filters.
bool run_by_tiles(const ConvProblem& problem) {
  constexpr std::int64_t kCache = 192 * 1024;  // floats
  constexpr std::int64_t kStep = 12;           // rows that one pass over the filters serves
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  const std::int64_t fitting = kCache / (form_shape(problem.form).planes * row_stride(length));
  const std::int64_t each = std::clamp<std::int64_t>(fitting / kStep * kStep, kStep, 4 * kStep);
  std::atomic<bool> finite = true;
  at::parallel_for(0, divide_up(problem.tiles, each), 1, [&](std::int64_t begin, std::int64_t end) {
    const TileBuffer buffer(problem.form, each, length);
    const at::Tensor products = make_products(problem, each);
    for (std::int64_t first = begin * each; first < std::min(end * each, problem.tiles);
         first += each) {
      const std::int64_t count = std::min(each, problem.tiles - first);
      transform_tiles(problem, first, count, buffer.from(0));
      for (std::int64_t panel = 0; panel < panel_count(problem.out_channels); ++panel) {
        if (!multiply_panel(problem, first, count, buffer.from(0), panel,
                            products.mutable_data_ptr<float>())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

/// All tiles are transformed first, then each thread takes panels of filters, each of which is read
/// once: for filters that outweigh the map.
bool run_by_panels(const ConvProblem& problem) {
  constexpr std::int64_t kMost = 96;  // tiles at a time: their products stay in the cache
  const TileBuffer buffer(problem.form, problem.tiles,
                          row_length(problem.form, problem.kernel, problem.channels));
  at::parallel_for(0, problem.tiles, 1, [&](std::int64_t begin, std::int64_t end) {
    transform_tiles(problem, begin, end - begin, buffer.from(begin));
  });
  std::atomic<bool> finite = true;
  at::parallel_for(0, panel_count(problem.out_channels), 1, [&](auto begin, auto end) {
    const at::Tensor products = make_products(problem, std::min(kMost, problem.tiles));
    for (std::int64_t panel = begin; panel < end; ++panel) {
      for (std::int64_t first = 0; first < problem.tiles; first += kMost) {
        if (!multiply_panel(problem, first, std::min(kMost, problem.tiles - first),
                            buffer.from(first), panel, products.mutable_data_ptr<float>())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

}  // namespace

PackedFilters pack_filters(const at::Tensor& taps, ConvForm form, std::int64_t stride,
                           std::int64_t padding, std::int64_t pad_end) {
  const at::Tensor dense = taps.contiguous();
  PackedFilters filters{.form = form,
                        .kernel = taps.size(0),
                        .stride = stride,
                        .padding = padding,
                        .pad_end = pad_end,
                        .channels = taps.size(2),
                        .out_channels = taps.size(3),
                        .panels = {}};
  const FormShape shape = form_shape(form);
  const std::int64_t size = shape.phases * shape.planes * panel_width() *
                            row_length(form, filters.kernel, filters.channels);
  const std::int64_t panels = panel_count(filters.out_channels);
  filters.panels = at::empty({panels, size}, at::kFloat);
  auto* to = filters.panels.mutable_data_ptr<float>();
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel) {
      pack_panel(form, filters.kernel, dense.const_data_ptr<float>(), filters.channels,
                 filters.out_channels, panel, to + panel * size);
    }
  });
  return filters;
}

std::pair<std::int64_t, std::int64_t> output_size(const at::Tensor& x,
                                                  const PackedFilters& filters) {
  const auto of = [&](std::int64_t size) {
    return filters.form == ConvForm::kUpsample
               ? 2 * size
               : (size + 2 * filters.padding + filters.pad_end - filters.kernel) / filters.stride +
                     1;
  };
  return {of(x.size(2)), of(x.size(3))};
}

ConvResult packed_conv(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& bias,
                       const at::Tensor& residual, const Prologue& prologue) {
  const auto [height, width] = output_size(x, filters);
  ConvResult result{.y = at::empty({x.size(0), filters.out_channels, height, width},
                                   x.options().memory_format(at::MemoryFormat::ChannelsLast)),
                    .finite = true};
  ConvProblem problem = make_problem(x, filters, result.y);
  problem.prologue = prologue;
  problem.panels = filters.panels.const_data_ptr<float>();
  problem.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  problem.residual = residual.defined() ? residual.const_data_ptr<float>() : nullptr;
  problem.y = result.y.mutable_data_ptr<float>();
  const bool many_filters = problem.tiles <= filters.out_channels * form_shape(filters.form).phases;
  result.finite = many_filters ? run_by_panels(problem) : run_by_tiles(problem);
  return result;
}

at::Tensor taps_gradient(const at::Tensor& x, const at::Tensor& y_gradient, ConvForm form) {
  constexpr std::int64_t kCache = 2 * 1024 * 1024;  // floats that all threads share
  const std::int64_t channels = x.size(1);
  const std::int64_t out_channels = y_gradient.size(1);
  const std::int64_t planes = form_shape(form).planes;
  const ConvProblem problem = make_problem(x,
                                           {.form = form,
                                            .kernel = 3,
                                            .stride = 1,
                                            .padding = 1,
                                            .pad_end = 0,
                                            .channels = channels,
                                            .out_channels = out_channels,
                                            .panels = {}},
                                           y_gradient);
  const auto* dy = y_gradient.const_data_ptr<float>();
  const std::int64_t row_floats = row_stride(channels) + row_stride(out_channels);
  const std::int64_t each =
      std::clamp<std::int64_t>(kCache / (planes * row_floats), 1, problem.tiles);
  const TileBuffer inputs(form, each, channels);
  const TileBuffer gradients(form, each, out_channels);
  const at::Tensor sums =
      at::empty({planes, channels, panel_count(out_channels) * panel_width()}, at::kFloat);
  for (std::int64_t first = 0; first < problem.tiles; first += each) {
    const std::int64_t count = std::min(each, problem.tiles - first);
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
      transform_tiles(problem, first + begin, end - begin, inputs.from(begin));
      transform_gradients(problem, dy, first + begin, end - begin, gradients.from(begin));
    });
    // A plane's sums run over the tiles in their order, whatever thread has it.
    at::parallel_for(0, planes, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        add_row_products({.x = inputs.from(0).data + p * inputs.from(0).plane,
                          .x_row = inputs.row(),
                          .channels = channels,
                          .y = gradients.from(0).data + p * gradients.from(0).plane,
                          .y_row = gradients.row(),
                          .out_channels = out_channels,
                          .count = count},
                         /*add=*/first > 0, sums.mutable_data_ptr<float>() + p * sums.stride(0));
      }
    });
  }
  at::Tensor taps = at::empty({3, 3, channels, out_channels}, at::kFloat);
  at::parallel_for(0, channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      transform_filter_gradient(form, sums.const_data_ptr<float>(), channels, out_channels, c,
                                taps.mutable_data_ptr<float>());
    }
  });
  return taps;
}

}  // namespace leaf::ops::cpu
