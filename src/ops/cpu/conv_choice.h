#pragma once

#include <cstdint>

#include "conv_geometry.h"
#include "conv_kernels.h"

namespace leaf::ops::cpu {

struct ConvSize {
  std::int64_t images = 1;
  MapSize map = {};  ///< of x, before any upsampling
  std::int64_t channels = 0, out_channels = 0;
  std::int64_t kernel = 3;
  ConvGeometry geometry = {};
  bool upsample = false;  ///< by 2, before the convolution
};

/// Whether filters are packed once for many calls, or anew for each (training).
enum class Packing { kOnce, kEachCall };

struct ConvChoice {
  ConvForm form;  ///< all but kUpsample see the upsampled map
  FilterLayout layout;
};

/// The form that takes the least time, by a count of multiplications. With Packing::kOnce the form,
/// if not the layout, is the same for every number of images.
ConvChoice choose_form(const ConvSize& size, Packing packing);

}  // namespace leaf::ops::cpu
