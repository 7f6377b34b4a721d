#include "conv_work.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace leaf::ops::cpu {
namespace {

/// Working memory of at least 2 MB, which the pooling allocator takes from huge pages: their
/// addresses are spread evenly over the second-level cache, which this memory nearly fills; small
/// pages lie anywhere and push each other out.
at::Tensor make_scratch(std::int64_t floats) {
  constexpr std::int64_t kHugePage = (std::int64_t{2} << 20) / sizeof(float);
  return at::empty({std::max(floats, kHugePage)}, at::kFloat);
}

}  // namespace

std::int64_t panel_count(std::int64_t out_channels) {
  return divide_up(out_channels, panel_width());
}

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
          .relu = false,
          .y = nullptr};
}

std::int64_t row_stride(std::int64_t length) {
  return spread_stride(divide_up(length, panel_width()) * panel_width());
}

TileBuffer::TileBuffer(ConvForm form, std::int64_t count, std::int64_t length, bool stretches) {
  tiles_.stretch = stretches ? kFilterStretch : row_stride(length);
  tiles_.row = tiles_.stretch;
  tiles_.block = spread_stride(count * tiles_.row);
  tiles_.plane = spread_stride(divide_up(length, tiles_.stretch) * tiles_.block);
  memory_ = make_scratch(form_shape(form).planes * tiles_.plane);
  tiles_.data = memory_.mutable_data_ptr<float>();
}

Tiles TileBuffer::from(std::int64_t tile) const {
  Tiles tiles = tiles_;
  tiles.data += tile * tiles.row;
  return tiles;
}

ThreadMemory::ThreadMemory(const ConvProblem& problem, std::int64_t count) {
  const std::int64_t planes = form_shape(problem.form).planes;
  const std::int64_t products = planes * spread_stride(count * panel_width());
  const std::int64_t filters = planes * spread_stride(kFilterStretch * panel_width());
  memory_ = make_scratch(products + filters);
  workspace_.products = memory_.mutable_data_ptr<float>();
  workspace_.filters = workspace_.products + products;
}

}  // namespace leaf::ops::cpu
