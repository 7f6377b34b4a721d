#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>

#include "conv_work.h"

namespace leaf::ops::cpu {
namespace {

/// The taps of a weight whose rows follow each other.
FilterView view_of(const at::Tensor& weight) {
  return {.data = weight.const_data_ptr<float>(),
          .out_stride = weight.stride(0),
          .in_stride = weight.stride(1),
          .tap_stride = weight.stride(3),
          .kernel = weight.size(2),
          .channels = weight.size(1),
          .out_channels = weight.size(0)};
}

}  // namespace

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
  const FilterView view = view_of(dense);
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

}  // namespace leaf::ops::cpu
