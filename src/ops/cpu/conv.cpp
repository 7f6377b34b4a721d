#include "conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "work_queue.h"

namespace leaf::ops::cpu {
namespace {

std::int64_t panel_count(std::int64_t out_channels) {
  return divide_up(out_channels, panel_width());
}

/// Geometry and tiles; the other pointers are null.
ConvProblem make_problem(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& y) {
  const auto [tile_rows, tile_columns] =
      tile_grid({.height = y.size(2), .width = y.size(3)}, filters.form);
  return {.form = filters.form,
          .kernel = filters.kernel,
          .stride = filters.geometry.stride,
          .padding = filters.geometry.padding,
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
          .silu_maps = nullptr,
          .panels = nullptr,
          .layout = filters.layout,
          .bias = nullptr,
          .residual = nullptr,
          .y = nullptr};
}

/// Distance of transformed tiles: room for whole vectors, and for a panel's worth of gradients.
std::int64_t row_stride(std::int64_t length) {
  return spread_stride(divide_up(length, panel_width()) * panel_width());
}

/// Working memory of at least 2 MB, which the pooling allocator takes from huge pages: their
/// addresses are spread evenly over the second-level cache, which this memory nearly fills; small
/// pages lie anywhere and push each other out.
at::Tensor make_scratch(std::int64_t floats) {
  constexpr std::int64_t kHugePage = (std::int64_t{2} << 20) / sizeof(float);
  return at::empty({std::max(floats, kHugePage)}, at::kFloat);
}

/// Memory for `count` transformed tiles of `length` numbers, all of a tile's or a stretch together.
class TileBuffer {
 public:
  TileBuffer(ConvForm form, std::int64_t count, std::int64_t length, bool stretches = false) {
    tiles_.stretch = stretches ? kFilterStretch : row_stride(length);
    tiles_.row = tiles_.stretch;
    tiles_.block = spread_stride(count * tiles_.row);
    tiles_.plane = spread_stride(divide_up(length, tiles_.stretch) * tiles_.block);
    memory_ = make_scratch(form_shape(form).planes * tiles_.plane);
    tiles_.data = memory_.mutable_data_ptr<float>();
  }

  Tiles from(std::int64_t tile) const {
    Tiles tiles = tiles_;
    tiles.data += tile * tiles.row;
    return tiles;
  }

 private:
  Tiles tiles_{};
  at::Tensor memory_;
};

/// One thread's memory for the products of `count` tiles, and for filters where they are
/// transformed on the way.
class ThreadMemory {
 public:
  ThreadMemory(const ConvProblem& problem, std::int64_t count) {
    const std::int64_t planes = form_shape(problem.form).planes;
    const std::int64_t products = planes * spread_stride(count * panel_width());
    const std::int64_t filters = planes * spread_stride(kFilterStretch * panel_width());
    memory_ = make_scratch(products + filters);
    workspace_.products = memory_.mutable_data_ptr<float>();
    workspace_.filters = workspace_.products + products;
  }
  const Workspace& workspace() const { return workspace_; }

 private:
  at::Tensor memory_;
  Workspace workspace_{};
};

/// Each thread takes blocks of tiles whose transforms stay in its cache, and passes all filters
/// over them: for maps that outweigh the filters.
bool run_by_tiles(const ConvProblem& problem) {
  constexpr std::int64_t kCache = 192 * 1024;  // floats
  constexpr std::int64_t kStep = 12;           // rows that one pass over the filters serves
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  const std::int64_t fitting = kCache / (form_shape(problem.form).planes * row_stride(length));
  const std::int64_t each = std::clamp<std::int64_t>(fitting / kStep * kStep, kStep, 4 * kStep);
  std::atomic<bool> finite = true;
  share_work(divide_up(problem.tiles, each), [&](WorkQueue& blocks) {
    const TileBuffer buffer(problem.form, each, length);
    const ThreadMemory memory(problem, each);
    while (const auto block = blocks.take()) {
      const std::int64_t first = *block * each;
      const std::int64_t count = std::min(each, problem.tiles - first);
      transform_tiles(problem, first, count, buffer.from(0));
      for (std::int64_t panel = 0; panel < panel_count(problem.out_channels); ++panel) {
        if (!multiply_panel(problem, first, count, buffer.from(0), panel, memory.workspace())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

/// Equal blocks of at most `most`.
std::int64_t block_size(std::int64_t total, std::int64_t most) {
  return divide_up(total, divide_up(total, most));
}

/// Tiles first .. first + count - 1 are transformed, then each thread takes panels of filters.
bool run_panels(const ConvProblem& problem, std::int64_t start, std::int64_t total,
                const TileBuffer& buffer) {
  constexpr std::int64_t kMost = 96;        // tiles at a time: their products stay in the cache
  constexpr std::int64_t kTransformed = 4;  // tiles at a time: little enough to share out evenly
  share_work(divide_up(total, kTransformed), [&](WorkQueue& blocks) {
    while (const auto block = blocks.take()) {
      const std::int64_t first = *block * kTransformed;
      transform_tiles(problem, start + first, std::min(kTransformed, total - first),
                      buffer.from(first));
    }
  });
  const std::int64_t each = block_size(total, kMost);
  std::atomic<bool> finite = true;
  share_work(panel_count(problem.out_channels), [&](WorkQueue& panels) {
    const ThreadMemory memory(problem, each);
    while (const auto panel = panels.take()) {
      for (std::int64_t first = 0; first < total; first += each) {
        if (!multiply_panel(problem, start + first, std::min(each, total - first),
                            buffer.from(first), *panel, memory.workspace())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

/// Many tiles at a time, so that each filter is fetched once or a few times: for filters that
/// outweigh the map.
bool run_by_panels(const ConvProblem& problem) {
  constexpr std::int64_t kMost = 512;  // bounds the memory that transformed tiles take
  const std::int64_t each = block_size(problem.tiles, kMost);
  const TileBuffer buffer(
      problem.form, each, row_length(problem.form, problem.kernel, problem.channels),
      /*stretches=*/problem.layout == FilterLayout::kTaps && problem.form != ConvForm::kDirect);
  bool finite = true;
  for (std::int64_t start = 0; start < problem.tiles; start += each) {
    finite &= run_panels(problem, start, std::min(each, problem.tiles - start), buffer);
  }
  return finite;
}

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

ConvSize conv_size(const at::Tensor& x, std::int64_t out_channels) {
  return {.images = x.size(0),
          .map = {.height = x.size(2), .width = x.size(3)},
          .channels = x.size(1),
          .out_channels = out_channels};
}

PackedFilters pack_filters(const at::Tensor& weight, ConvForm form, FilterLayout layout,
                           const ConvGeometry& geometry) {
  PackedFilters filters{.form = form,
                        .layout = layout,
                        .geometry = geometry,
                        .kernel = weight.size(2),
                        .channels = weight.size(1),
                        .out_channels = weight.size(0),
                        .panels = {}};
  // One stride for all taps: rows of a kernel follow each other in every layout that LibTorch uses.
  const bool even = weight.size(3) == 1 || weight.stride(2) == weight.size(3) * weight.stride(3);
  const at::Tensor dense = even ? weight : weight.contiguous();
  const FilterView view{.data = dense.const_data_ptr<float>(),
                        .out_stride = dense.stride(0),
                        .in_stride = dense.stride(1),
                        .tap_stride = dense.stride(3),
                        .kernel = filters.kernel,
                        .channels = filters.channels,
                        .out_channels = filters.out_channels};
  const std::int64_t column = filters.channels * panel_width();
  const std::int64_t taps_size = filters.kernel * filters.kernel * column;
  const FormShape shape = form_shape(form);
  const bool transformed = layout == FilterLayout::kTransformed;
  const std::int64_t size = transformed ? shape.phases * shape.planes * column : taps_size;
  const std::int64_t panels = panel_count(filters.out_channels);
  filters.panels = at::empty({panels, size}, at::kFloat);
  auto* to = filters.panels.mutable_data_ptr<float>();
  at::parallel_for(0, panels, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor taps = transformed ? at::empty({taps_size}, at::kFloat) : at::Tensor();
    for (std::int64_t panel = begin; panel < end; ++panel) {
      if (transformed) {
        pack_taps(view, panel, taps.mutable_data_ptr<float>());
        transform_taps(form, taps.const_data_ptr<float>(), filters.channels, to + panel * size);
      } else {
        pack_taps(view, panel, to + panel * size);
      }
    }
  });
  return filters;
}

ConvResult packed_conv(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& bias,
                       const at::Tensor& residual, const at::Tensor& silu_maps) {
  const auto [height, width] = output_size({.height = x.size(2), .width = x.size(3)}, filters.form,
                                           filters.kernel, filters.geometry);
  ConvResult result{.y = at::empty({x.size(0), filters.out_channels, height, width},
                                   x.options().memory_format(at::MemoryFormat::ChannelsLast)),
                    .finite = true};
  ConvProblem problem = make_problem(x, filters, result.y);
  problem.silu_maps = silu_maps.defined() ? silu_maps.const_data_ptr<float>() : nullptr;
  problem.panels = filters.panels.const_data_ptr<float>();
  problem.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  problem.residual = residual.defined() ? residual.const_data_ptr<float>() : nullptr;
  problem.y = result.y.mutable_data_ptr<float>();
  const bool by_tiles = problem.tiles > filters.out_channels * form_shape(filters.form).phases;
  result.finite = by_tiles ? run_by_tiles(problem) : run_by_panels(problem);
  return result;
}

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
