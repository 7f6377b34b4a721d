#include "conv_geometry.h"

namespace leaf::ops::cpu {

MapSize input_size(const MapSize& map, ConvForm form, bool upsample) {
  const std::int64_t factor = upsample && form != ConvForm::kUpsample ? 2 : 1;
  return {.height = factor * map.height, .width = factor * map.width};
}

MapSize output_size(const MapSize& map, ConvForm form, std::int64_t kernel,
                    const ConvGeometry& geometry) {
  const auto along = [&](std::int64_t length) {
    const std::int64_t input = form == ConvForm::kUpsample ? 2 * length : length;
    const std::int64_t room = input + 2 * geometry.padding + geometry.pad_end - kernel;
    return room < 0 ? 0 : room / geometry.stride + 1;
  };
  return {.height = along(map.height), .width = along(map.width)};
}

MapSize tile_grid(const MapSize& output, ConvForm form) {
  const auto along = [&](std::int64_t length) {
    // The phases of an upsampled map are computed over the map, and need one position more.
    const std::int64_t positions = form == ConvForm::kUpsample ? length / 2 + 1 : length;
    return divide_up(positions, form_shape(form).outputs);
  };
  return {.height = along(output.height), .width = along(output.width)};
}

}  // namespace leaf::ops::cpu
