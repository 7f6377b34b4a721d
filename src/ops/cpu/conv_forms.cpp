#include "conv_forms.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <cstdint>
#include <type_traits>

#include "conv.h"

namespace leaf::ops::cpu {
namespace {

/// A left inverse of the filters' transform in one direction, all phases side by side:
/// [3][phases][n]. It reads the points 0, 1, -1 and infinity, or copied taps, alone.
template <class F>
constexpr auto inverse_filter_matrix() {
  using Filter = typename F::Filter;
  std::array<Matrix<F::kPhases, Filter::kInputs>, 3> inverse{};
  if constexpr (Filter::kStride == 2) {
    using Even = typename Filter::Even;
    inverse[0][0][0] = 1 / Even::Taps::kEntries[0][0];
    inverse[1][0][Even::kInputs] = 1;
    inverse[2][0][Even::kInputs - 1] = 1;
  } else {
    constexpr int kLast = Filter::kInputs - 1;
    constexpr auto& kFilter = Filter::Taps::kEntries;
    inverse[0][0][0] = 1 / kFilter[0][0];
    inverse[2][F::kPhases - 1][kLast] = 1;
    if (F::kPhases == 1) {  // G g is c (g0 + g1 + g2) at 1 and c (g0 - g1 + g2) at -1
      inverse[1][0][1] = 1 / (2 * kFilter[1][0]);
      inverse[1][0][2] = -1 / (2 * kFilter[1][0]);
    } else {  // the last taps of the phases are g1 + g2 and g2
      inverse[1][0][kLast] = 1;
      inverse[1][F::kPhases - 1][kLast] = -1;
    }
  }
  return inverse;
}

/// One pair of channels: transformed values, `stride` floats apart -> taps [3][3].
template <class F>
void unpack(const float* values, std::int64_t stride, float* taps) {
  constexpr int kInputs = F::Filter::kInputs;
  constexpr auto kInverse = inverse_filter_matrix<F>();
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      double tap = 0;
      for (int phase = 0; phase < F::kPhases * F::kPhases; ++phase) {
        for (int p = 0; p < kInputs * kInputs; ++p) {
          const double factor = kInverse[a][phase / F::kPhases][p / kInputs] *
                                kInverse[b][phase % F::kPhases][p % kInputs];
          if (factor != 0) {
            tap += factor * values[(phase * kInputs * kInputs + p) * stride];
          }
        }
      }
      taps[a * 3 + b] = static_cast<float>(tap);
    }
  }
}

}  // namespace

FormShape form_shape(ConvForm form) {
  return with_form(form, [](auto f) -> FormShape {
    using F = decltype(f);
    return {.outputs = F::Filter::kOut,
            .planes = F::Filter::kInputs * F::Filter::kInputs,
            .phases = F::kPhases * F::kPhases};
  });
}

at::Tensor unpack_filters(const PackedFilters& filters) {
  const std::int64_t channels = filters.channels;
  const std::int64_t out_channels = filters.out_channels;
  const std::int64_t width = panel_width();
  if (filters.layout == FilterLayout::kTaps) {  // [panel][k][k][C][width]
    return filters.panels.reshape({-1, filters.kernel, filters.kernel, channels, width})
        .permute({0, 4, 3, 1, 2})
        .reshape({-1, channels, filters.kernel, filters.kernel})
        .narrow(0, 0, out_channels);
  }
  at::Tensor weight = at::empty({out_channels, channels, 3, 3}, at::kFloat);
  with_form(filters.form, [&](auto f) {
    if constexpr (!std::is_same_v<decltype(f), Form<ConvForm::kDirect>>) {
      at::parallel_for(0, out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          const float* panel = filters.panels.const_data_ptr<float>() +
                               k / width * filters.panels.size(1) + k % width;
          for (std::int64_t c = 0; c < channels; ++c) {
            unpack<decltype(f)>(panel + c * width, channels * width,
                                weight.mutable_data_ptr<float>() + (k * channels + c) * 9);
          }
        }
      });
    }
  });
  return weight;
}

}  // namespace leaf::ops::cpu
