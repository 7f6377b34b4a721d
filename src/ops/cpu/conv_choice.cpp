#include "conv_choice.h"

#include <initializer_list>
#include <limits>

namespace leaf::ops::cpu {
namespace {

bool possible(ConvForm form, const ConvSize& size) {
  const ConvGeometry& geometry = size.geometry;
  const bool unit_stride =
      size.kernel == 3 && geometry.stride == 1 && geometry.padding == 1 && geometry.pad_end == 0;
  switch (form) {
    case ConvForm::kDirect:
      return true;
    case ConvForm::kStride2:
      return size.kernel == 3 && geometry.stride == 2 && !size.upsample;
    case ConvForm::kUpsample:
      return unit_stride && size.upsample;
    case ConvForm::kF4x4:
    case ConvForm::kF6x6:
      break;
  }
  return unit_stride;
}

/// Of one image.
std::int64_t tile_count(ConvForm form, const ConvSize& size) {
  const MapSize map = input_size(size.map, form, size.upsample);
  const auto [rows, columns] = tile_grid(output_size(map, form, size.kernel, size.geometry), form);
  return rows * columns;
}

FilterLayout layout_for(ConvForm form, std::int64_t tiles) {
  // So few that fetching transformed filters, several times larger than taps, would take longer
  // than transforming them.
  constexpr std::int64_t kFewTiles = 64;
  const bool many_tiles = tiles > kFewTiles;
  return form != ConvForm::kDirect && many_tiles ? FilterLayout::kTransformed : FilterLayout::kTaps;
}

/// Multiplications per pair of channels, and what transforming the filters costs where every call
/// does so: about as much as four tiles.
std::int64_t cost(ConvForm form, const ConvSize& size, Packing packing) {
  const FormShape shape = form_shape(form);
  const bool direct = form == ConvForm::kDirect;
  const std::int64_t products = direct ? size.kernel * size.kernel : shape.planes * shape.phases;
  const std::int64_t images = packing == Packing::kOnce ? 1 : size.images;
  const std::int64_t tiles = images * tile_count(form, size);
  const bool transforms =
      !direct && (packing == Packing::kEachCall || layout_for(form, tiles) == FilterLayout::kTaps);
  return products * (tiles + (transforms ? 4 : 0));
}

}  // namespace

ConvChoice choose_form(const ConvSize& size, Packing packing) {
  ConvForm best = ConvForm::kDirect;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const ConvForm form : {ConvForm::kDirect, ConvForm::kF4x4, ConvForm::kF6x6,
                              ConvForm::kStride2, ConvForm::kUpsample}) {
    if (possible(form, size) && cost(form, size, packing) < least) {
      best = form;
      least = cost(form, size, packing);
    }
  }
  return {.form = best, .layout = layout_for(best, size.images * tile_count(best, size))};
}

}  // namespace leaf::ops::cpu
