#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/conv_filters.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target

#include <algorithm>
#include <cstdint>
//
#include "conv_taps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

std::int64_t width() { return kWidth; }

/// Blocks of channels whose panel stays in the cache while it is written column by column.
void pack(const FilterView& filter, std::int64_t panel, float* to) {
  constexpr std::int64_t kBlock = 16;
  const std::int64_t taps = filter.kernel * filter.kernel;
  const std::int64_t count = std::min(kWidth, filter.out_channels - panel * kWidth);
  for (std::int64_t c = 0; c < filter.channels; c += kBlock) {
    const std::int64_t last = std::min(c + kBlock, filter.channels);
    for (std::int64_t k = 0; k < kWidth; ++k) {
      const float* from = filter.data + (panel * kWidth + k) * filter.out_stride;
      for (std::int64_t i = c; i < last; ++i) {
        for (std::int64_t t = 0; t < taps; ++t) {
          to[(t * filter.channels + i) * kWidth + k] =
              k < count ? from[i * filter.in_stride + t * filter.tap_stride] : 0.0F;
        }
      }
    }
  }
}

void transform_filters(ConvForm form, const float* taps, std::int64_t channels, float* to) {
  with_form(form, [&](auto f) {
    using F = decltype(f);
    if constexpr (F::Filter::kInputs > 1) {
      constexpr int kPhases = F::kPhases * F::kPhases;
      for (int phase = 0; phase < kPhases; ++phase) {
        transform_stretch_of<F>(
            phase, taps, channels, 0, channels,
            to + phase * F::Filter::kInputs * F::Filter::kInputs * channels * kWidth,
            channels * kWidth);
      }
    }
  });
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(width);
HWY_EXPORT(pack);
HWY_EXPORT(transform_filters);

std::int64_t panel_width() { return HWY_DYNAMIC_DISPATCH(width)(); }

void pack_taps(const FilterView& filter, std::int64_t panel, float* to) {
  HWY_DYNAMIC_DISPATCH(pack)(filter, panel, to);
}

void transform_taps(ConvForm form, const float* taps, std::int64_t channels, float* to) {
  HWY_DYNAMIC_DISPATCH(transform_filters)(form, taps, channels, to);
}

}  // namespace leaf::ops::cpu
#endif
