#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/conv_products.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target
//
#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "conv_taps-inl.h"
#include "multiply-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

/// A^T m: sums and differences of the pairs serve the even and the odd rows.
template <class Filter, int kRow = 0>
HWY_INLINE void combine_outputs(const Vector* m, const Vector* sums, const Vector* differences,
                                Vector* y) {
  if constexpr (kRow < Filter::kOut) {
    const Vector* const pairs = kRow % 2 == 0 ? sums : differences;
    Vector value = dot<typename Filter::PairPowers, kRow>(pairs);
    if constexpr (kRow == 0) {
      value = hn::Add(value, m[0]);
    }
    if constexpr (kRow == Filter::kOut - 1) {
      value = hn::Add(value, m[Filter::kInputs - 1]);
    }
    y[kRow] = value;
    combine_outputs<Filter, kRow + 1>(m, sums, differences, y);
  }
}

template <class Filter>
HWY_INLINE void transform_output_pairs(const Vector* m, Vector* y) {
  Vector sums[Filter::kPairs];
  Vector differences[Filter::kPairs];
  for (int pair = 0; pair < Filter::kPairs; ++pair) {
    sums[pair] = hn::Add(m[1 + 2 * pair], m[2 + 2 * pair]);
    differences[pair] = hn::Sub(m[1 + 2 * pair], m[2 + 2 * pair]);
  }
  combine_outputs<Filter>(m, sums, differences, y);
}

template <class Filter>
HWY_INLINE void transform_outputs(const Vector* m, Vector* y) {
  if constexpr (Filter::kInputs == 1) {
    y[0] = m[0];
  } else if constexpr (Filter::kStride == 2) {
    using Even = typename Filter::Even;
    transform_output_pairs<Even>(m, y);
    for (int i = 0; i < Filter::kOut; ++i) {
      y[i] = hn::Add(y[i], m[Even::kInputs + i]);
    }
  } else {
    transform_output_pairs<Filter>(m, y);
  }
}

/// The outputs of one tile, phase and vector of channels.
template <class F>
HWY_INLINE void transform_products(const float* products, std::int64_t plane,
                                   Vector (&columns)[F::Filter::kOut][F::Filter::kInputs]) {
  constexpr int kInputs = F::Filter::kInputs;
  for (int j = 0; j < kInputs; ++j) {
    Vector m[kInputs];
    for (int i = 0; i < kInputs; ++i) {
      m[i] = hn::LoadU(kFloat, products + (i * kInputs + j) * plane);
    }
    Vector y[F::Filter::kOut];
    transform_outputs<typename F::Filter>(m, y);
    for (int i = 0; i < F::Filter::kOut; ++i) {
      columns[i][j] = y[i];
    }
  }
}

template <class F>
HWY_INLINE bool store_tile(const ConvProblem& problem, const Tile& tile, int phase,
                           const float* products, std::int64_t plane, std::int64_t k) {
  using Filter = typename F::Filter;
  constexpr int kOut = Filter::kOut;
  // Copies: for all that the compiler knows, what is stored could change the problem.
  const auto [height, width, channels] =
      std::tuple(problem.out_height, problem.out_width, problem.out_channels);
  const float* const residual = problem.residual;
  float* const y = problem.y;
  const std::int64_t count = channels - k;
  Vector columns[kOut][Filter::kInputs];
  transform_products<F>(products, plane, columns);
  const int phase_y = phase / F::kPhases;
  const int phase_x = phase % F::kPhases;
  const std::int64_t first_row = (tile.row * kOut - phase_y) * F::kScale + phase_y;
  const std::int64_t first_column = (tile.column * kOut - phase_x) * F::kScale + phase_x;
  const Vector bias =
      problem.bias != nullptr ? load_part(problem.bias + k, count) : hn::Zero(kFloat);
  const Vector least = problem.relu ? hn::Zero(kFloat) : hn::Neg(hn::Inf(kFloat));
  Vector overflow = hn::Zero(kFloat);
  for (int i = 0; i < kOut; ++i) {
    const std::int64_t row = first_row + i * F::kScale;
    if (row < 0 || row >= height) {
      continue;
    }
    Vector values[kOut];
    transform_outputs<Filter>(columns[i], values);
    const std::int64_t line = (tile.image * height + row) * width;
    for (int j = 0; j < kOut; ++j) {
      const std::int64_t column = first_column + j * F::kScale;
      if (column < 0 || column >= width) {
        continue;
      }
      const std::int64_t at = (line + column) * channels + k;
      Vector value = hn::Add(values[j], bias);
      overflow = hn::MulAdd(value, hn::Zero(kFloat), overflow);  // NaN from here on if not finite
      if (residual != nullptr) {
        value = hn::Add(value, load_part(residual + at, count));
      }
      value = hn::IfThenZeroElse(hn::Lt(value, least), value);  // NaN stays
      store_part(value, y + at, count);
    }
  }
  return hn::AllTrue(kFloat, hn::Eq(overflow, overflow));
}

/// Asks for part `part` of `parts` of the next stretch's taps, `stride` floats apart: each lies
/// elsewhere in memory, and no stretch is long enough for the processor to see it coming.
HWY_INLINE void fetch_taps(const float* taps, std::int64_t stride, int part, int parts) {
  constexpr std::int64_t kLine = 16;
  constexpr std::int64_t kLines = kFilterStretch * kWidth / kLine;  // of each tap
  for (std::int64_t i = 9 * kLines * part / parts; i < 9 * kLines * (part + 1) / parts; ++i) {
    hwy::Prefetch(taps + i / kLines * stride + i % kLines * kLine);
  }
}

/// products [planes][count][kWidth] of one phase.
template <class F>
void multiply_phase(const ConvProblem& problem, std::int64_t count, const Tiles& tiles,
                    std::int64_t panel, int phase, const Workspace& workspace) {
  constexpr int kPlanes = F::Filter::kInputs * F::Filter::kInputs;
  constexpr bool kDirect = kPlanes == 1;
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  const std::int64_t plane = spread_stride(count * kWidth);
  const std::int64_t columns = problem.out_channels - panel * kWidth;
  if (kDirect || problem.layout == FilterLayout::kTransformed) {
    const std::int64_t filter = panel * F::kPhases * F::kPhases + phase;
    for (int p = 0; p < kPlanes; ++p) {
      multiply_plane(count, tiles.data + p * tiles.plane, tiles.row,
                     problem.panels + (filter * kPlanes + p) * length * kWidth, length, columns,
                     /*add=*/false, workspace.products + p * plane);
    }
    return;
  }
  if constexpr (!kDirect) {
    const float* taps = problem.panels + panel * 9 * length * kWidth;
    const std::int64_t filter_plane = spread_stride(kFilterStretch * kWidth);
    for (std::int64_t c = 0; c < length; c += kFilterStretch) {
      const std::int64_t stretch = std::min(kFilterStretch, length - c);
      transform_stretch_of<F>(phase, taps, length, c, stretch, workspace.filters, filter_plane);
      for (int p = 0; p < kPlanes; ++p) {
        fetch_taps(taps + (c + stretch) * kWidth, length * kWidth, p, kPlanes);
        multiply_plane(
            count,
            tiles.data + p * tiles.plane + c / tiles.stretch * tiles.block + c % tiles.stretch,
            tiles.row, workspace.filters + p * filter_plane, stretch, columns, /*add=*/c > 0,
            workspace.products + p * plane);
      }
    }
  }
}

template <class F>
bool multiply_tiles(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                    const Tiles& tiles, std::int64_t panel, const Workspace& workspace) {
  bool finite = true;
  for (int phase = 0; phase < F::kPhases * F::kPhases; ++phase) {
    multiply_phase<F>(problem, count, tiles, panel, phase, workspace);
    for (std::int64_t t = 0; t < count; ++t) {
      const Tile tile = tile_at(problem, first + t);
      for (std::int64_t half = 0; half < kWidth; half += kLanes) {
        const std::int64_t k = panel * kWidth + half;
        if (k < problem.out_channels) {
          finite &= store_tile<F>(problem, tile, phase, workspace.products + t * kWidth + half,
                                  spread_stride(count * kWidth), k);
        }
      }
    }
  }
  return finite;
}

bool multiply(const ConvProblem& problem, std::int64_t first, std::int64_t count,
              const Tiles& tiles, std::int64_t panel, const Workspace& workspace) {
  return with_form(problem.form, [&](auto f) {
    return multiply_tiles<decltype(f)>(problem, first, count, tiles, panel, workspace);
  });
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(multiply);

bool multiply_panel(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                    const Tiles& tiles, std::int64_t panel, const Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(multiply)(problem, first, count, tiles, panel, workspace);
}

}  // namespace leaf::ops::cpu
#endif
