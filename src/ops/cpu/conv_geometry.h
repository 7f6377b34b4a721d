#pragma once

#include <cstdint>

#include "conv_kernels.h"

// Sizes of a convolution's maps and of the grid of tiles that covers its result.
namespace leaf::ops::cpu {

struct MapSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
};

struct ConvGeometry {
  std::int64_t stride = 1;
  std::int64_t padding = 1;
  std::int64_t pad_end = 0;  ///< further zeros, behind the last row and column alone
};

/// The map that a form reads where nearest-neighbour upsampling by 2 comes first: kUpsample does
/// that itself.
MapSize input_size(const MapSize& map, ConvForm form, bool upsample);

/// The size of the result for a map [H,W], which kUpsample doubles first; 0 where the map is
/// smaller than the kernel.
MapSize output_size(const MapSize& map, ConvForm form, std::int64_t kernel,
                    const ConvGeometry& geometry);

/// The tiles that cover a result of that size.
MapSize tile_grid(const MapSize& output, ConvForm form);

}  // namespace leaf::ops::cpu
