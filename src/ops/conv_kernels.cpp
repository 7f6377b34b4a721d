#include "conv_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "conv_forms.h"

// One vector width each: 128 bits as plain C++, 256, 512; NEON on Arm.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/conv_kernels.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using Vector = hn::Vec<Float>;
constexpr Float kFloat;
constexpr std::int64_t kLanes = HWY_LANES(float);
constexpr std::int64_t kWidth = 2 * kLanes;
/// Rows of accumulators, two vectors each: as many as leave registers for a row of filters.
constexpr std::int64_t kRows = HWY_MAX_BYTES == 64 || HWY_ARCH_ARM ? 12 : 6;

HWY_INLINE Vector constant(double value) { return hn::Set(kFloat, static_cast<float>(value)); }

/// The first `count` floats, zeros behind them.
HWY_INLINE Vector load_part(const float* from, std::int64_t count) {
  if (HWY_LIKELY(count >= kLanes)) {
    return hn::LoadU(kFloat, from);
  }
  float padded[kLanes] = {};
  std::memcpy(padded, from, static_cast<std::size_t>(count) * sizeof(float));
  return hn::LoadU(kFloat, padded);
}

HWY_INLINE void store_part(Vector value, float* to, std::int64_t count) {
  if (HWY_LIKELY(count >= kLanes)) {
    hn::StoreU(value, kFloat, to);
    return;
  }
  float padded[kLanes];
  hn::StoreU(value, kFloat, padded);
  std::memcpy(to, padded, static_cast<std::size_t>(count) * sizeof(float));
}

// ---- one-dimensional transforms: the matrices are constants, their zeros cost nothing ----

/// sum + M[kRow][k] d[k] + M[kRow][k + kStep] d[k + kStep] + ..., from k = kK on.
template <class M, int kRow, int kK, int kStep, bool kStarted>
HWY_INLINE Vector add_products(const Vector* d, Vector sum) {
  constexpr auto& kEntries = M::kEntries[kRow];
  if constexpr (kK >= static_cast<int>(kEntries.size())) {
    return sum;
  } else if constexpr (kEntries[kK] == 0) {
    return add_products<M, kRow, kK + kStep, kStep, kStarted>(d, sum);
  } else if constexpr (!kStarted) {
    const Vector first = kEntries[kK] == 1 ? d[kK] : hn::Mul(constant(kEntries[kK]), d[kK]);
    return add_products<M, kRow, kK + kStep, kStep, true>(d, first);
  } else {
    return add_products<M, kRow, kK + kStep, kStep, true>(
        d, hn::MulAdd(constant(kEntries[kK]), d[kK], sum));
  }
}

template <class M, int kRow, int kFirst = 0, int kStep = 1>
HWY_INLINE Vector dot(const Vector* d) {
  return add_products<M, kRow, kFirst, kStep, false>(d, hn::Zero(kFloat));
}

/// B^T d
template <class Filter, int kPair = 0>
HWY_INLINE void transform_pairs(const Vector* d, Vector* t) {
  if constexpr (kPair < Filter::kPairs) {
    constexpr int kJ = 1 + 2 * kPair;
    const Vector even = dot<typename Filter::Input, kJ, 0, 2>(d);
    const Vector odd = dot<typename Filter::Input, kJ, 1, 2>(d);
    t[kJ] = hn::Add(even, odd);
    t[kJ + 1] = hn::Sub(even, odd);
    transform_pairs<Filter, kPair + 1>(d, t);
  }
}

template <class Filter>
HWY_INLINE void transform_inputs(const Vector* d, Vector* t) {
  constexpr int kLast = Filter::kInputs - 1;
  t[0] = dot<typename Filter::Input, 0>(d);
  transform_pairs<Filter>(d, t);
  t[kLast] = dot<typename Filter::Input, kLast>(d);
}

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
  } else {
    transform_output_pairs<Filter>(m, y);
  }
}

// ---- filters ----

/// The taps of one phase from the three of the filter, see Form<ConvForm::kUpsample>.
template <class F, int kPhase>
HWY_INLINE void phase_taps(const Vector* g, Vector* taps) {
  if constexpr (F::kPhases == 1) {
    taps[0] = g[0];
    taps[1] = g[1];
    taps[2] = g[2];
  } else if constexpr (kPhase == 0) {
    taps[0] = g[0];
    taps[1] = hn::Add(g[1], g[2]);
  } else {
    taps[0] = hn::Add(g[0], g[1]);
    taps[1] = g[2];
  }
}

/// G taps
template <class Filter, int kPair = 0>
HWY_INLINE void evaluate_pairs(const Vector* taps, Vector* u) {
  if constexpr (kPair < Filter::kPairs) {
    constexpr int kJ = 1 + 2 * kPair;
    const Vector even = dot<typename Filter::Taps, kJ, 0, 2>(taps);
    const Vector odd = dot<typename Filter::Taps, kJ, 1, 2>(taps);
    u[kJ] = hn::Add(even, odd);
    u[kJ + 1] = hn::Sub(even, odd);
    evaluate_pairs<Filter, kPair + 1>(taps, u);
  }
}

template <class F, int kPhase>
HWY_INLINE void evaluate_taps(const Vector* g, Vector* u) {
  using Filter = typename F::Filter;
  constexpr int kLast = Filter::kInputs - 1;
  Vector taps[3];
  phase_taps<F, kPhase>(g, taps);
  u[0] = dot<typename Filter::Taps, 0>(taps);
  evaluate_pairs<Filter>(taps, u);
  u[kLast] = dot<typename Filter::Taps, kLast>(taps);
}

/// taps [9][C][kWidth] of channels begin .. begin + count - 1 -> one phase,
/// [planes][count][kWidth].
template <class F, int kPhaseY, int kPhaseX>
void transform_stretch(const float* taps, std::int64_t channels, std::int64_t begin,
                       std::int64_t count, float* to, std::int64_t plane) {
  constexpr int kInputs = F::Filter::kInputs;
  for (std::int64_t at = 0; at < count * kWidth; at += kLanes) {
    const float* from = taps + begin * kWidth + at;
    Vector columns[kInputs][3];
    for (int b = 0; b < 3; ++b) {
      Vector g[3];
      for (int a = 0; a < 3; ++a) {
        g[a] = hn::LoadU(kFloat, from + (a * 3 + b) * channels * kWidth);
      }
      Vector u[kInputs];
      evaluate_taps<F, kPhaseY>(g, u);
      for (int i = 0; i < kInputs; ++i) {
        columns[i][b] = u[i];
      }
    }
    for (int i = 0; i < kInputs; ++i) {
      Vector u[kInputs];
      evaluate_taps<F, kPhaseX>(columns[i], u);
      for (int j = 0; j < kInputs; ++j) {
        hn::StoreU(u[j], kFloat, to + (i * kInputs + j) * plane + at);
      }
    }
  }
}

/// Phase 2 y + x.
template <class F>
void transform_stretch_of(int phase, const float* taps, std::int64_t channels, std::int64_t begin,
                          std::int64_t count, float* to, std::int64_t plane) {
  if (F::kPhases == 1 || phase == 0) {
    transform_stretch<F, 0, 0>(taps, channels, begin, count, to, plane);
  } else if (phase == 1) {
    transform_stretch<F, 0, 1>(taps, channels, begin, count, to, plane);
  } else if (phase == 2) {
    transform_stretch<F, 1, 0>(taps, channels, begin, count, to, plane);
  } else {
    transform_stretch<F, 1, 1>(taps, channels, begin, count, to, plane);
  }
}

// ---- inputs ----

/// e^t to about 1e-7 relative for |t| <= 87, clamped there.
HWY_INLINE Vector exp_approx(Vector t) {
  t = hn::Min(hn::Max(t, constant(-87.0)), constant(87.0));
  const Vector rounder = constant(12582912.0);  // 1.5 * 2^23: adding it leaves round(t) in low bits
  const Vector rounded = hn::MulAdd(t, constant(1.44269504088896341), rounder);
  const Vector n = hn::Sub(rounded, rounder);
  const Vector r =
      hn::NegMulAdd(n, constant(-2.12194440e-4), hn::NegMulAdd(n, constant(0.693359375), t));
  Vector p = constant(1.0 / 720);
  p = hn::MulAdd(p, r, constant(1.0 / 120));
  p = hn::MulAdd(p, r, constant(1.0 / 24));
  p = hn::MulAdd(p, r, constant(1.0 / 6));
  p = hn::MulAdd(p, r, constant(0.5));
  p = hn::MulAdd(p, r, constant(1.0));
  p = hn::MulAdd(p, r, constant(1.0));
  const hn::RebindToUnsigned<Float> bits;
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::BitCast(bits, rounded), hn::Set(bits, 127U)));
  return hn::Mul(p, hn::BitCast(kFloat, exponent));
}

/// z / (1 + e^-z); the quotient by Newton's method, several times faster than a division. Finite
/// for every finite z, since e^-z is at most e^87.
HWY_INLINE Vector silu(Vector z) {
  const Vector divisor = hn::Add(constant(1.0), exp_approx(hn::Neg(z)));
  Vector inverse = hn::ApproximateReciprocal(divisor);  // 12 bits or more
  inverse = hn::Mul(inverse, hn::NegMulAdd(divisor, inverse, constant(2.0)));
  return hn::Mul(z, hn::Mul(inverse, hn::NegMulAdd(divisor, inverse, constant(2.0))));
}

/// Where a tile lies.
struct Tile {
  std::int64_t image, row, column;
};

HWY_INLINE Tile tile_at(const ConvProblem& problem, std::int64_t index) {
  const std::int64_t each_image = problem.tile_rows * problem.tile_columns;
  return {.image = index / each_image,
          .row = index % each_image / problem.tile_columns,
          .column = index % problem.tile_columns};
}

/// The pixel's channels, null outside the map.
HWY_INLINE const float* pixel_at(const ConvProblem& problem, std::int64_t image, std::int64_t y,
                                 std::int64_t x) {
  const bool inside = y >= 0 && y < problem.height && x >= 0 && x < problem.width;
  return inside ? problem.x + ((image * problem.height + y) * problem.width + x) * problem.channels
                : nullptr;
}

/// Reads one vector of channels, the first `count` of it, of any pixel.
template <bool kPrologue>
class Loader {
 public:
  HWY_INLINE Loader(const ConvProblem& problem, std::int64_t image, std::int64_t c)
      : c_(c), count_(problem.channels - c), silu_(problem.prologue.silu) {
    if constexpr (kPrologue) {
      const float* map = problem.prologue.maps + image * 3 * problem.channels + c;
      center_ = load_part(map, count_);
      slope_ = load_part(map + problem.channels, count_);
      intercept_ = load_part(map + 2 * problem.channels, count_);
    }
  }

  HWY_INLINE Vector operator()(const float* pixel) const {
    if (pixel == nullptr) {
      return hn::Zero(kFloat);
    }
    const Vector x = load_part(pixel + c_, count_);
    if constexpr (!kPrologue) {
      return x;
    } else {
      const Vector z = hn::MulAdd(hn::Sub(x, center_), slope_, intercept_);
      return silu_ ? silu(z) : z;
    }
  }

 private:
  Vector center_ = hn::Zero(kFloat);
  Vector slope_ = hn::Zero(kFloat);
  Vector intercept_ = hn::Zero(kFloat);
  std::int64_t c_;
  std::int64_t count_;
  bool silu_;
};

template <class F, bool kPrologue>
void transform_tile(const ConvProblem& problem, const Tile& tile, float* to, const Tiles& tiles) {
  constexpr int kInputs = F::Filter::kInputs;
  const std::int64_t channels = problem.channels;
  const float* pixels[kInputs][kInputs];
  for (int i = 0; i < kInputs; ++i) {
    for (int j = 0; j < kInputs; ++j) {
      pixels[i][j] = pixel_at(problem, tile.image, tile.row * F::Filter::kOut - 1 + i,
                              tile.column * F::Filter::kOut - 1 + j);
    }
  }
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    const Loader<kPrologue> load(problem, tile.image, c);
    float* target = to + c / tiles.stretch * tiles.block + c % tiles.stretch;
    Vector rows[kInputs][kInputs];
    for (int i = 0; i < kInputs; ++i) {
      Vector d[kInputs];
      for (int j = 0; j < kInputs; ++j) {
        d[j] = load(pixels[i][j]);
      }
      transform_inputs<typename F::Filter>(d, rows[i]);
    }
    for (int j = 0; j < kInputs; ++j) {
      Vector d[kInputs];
      for (int i = 0; i < kInputs; ++i) {
        d[i] = rows[i][j];
      }
      Vector t[kInputs];
      transform_inputs<typename F::Filter>(d, t);
      for (int i = 0; i < kInputs; ++i) {
        hn::StoreU(t[i], kFloat, target + (i * kInputs + j) * tiles.plane);
      }
    }
  }
}

/// A row holds the values under the kernel, [kernel][kernel][C].
template <bool kPrologue>
void gather_position(const ConvProblem& problem, const Tile& tile, float* to) {
  const std::int64_t channels = problem.channels;
  for (std::int64_t i = 0; i < problem.kernel; ++i) {
    for (std::int64_t j = 0; j < problem.kernel; ++j) {
      const float* pixel =
          pixel_at(problem, tile.image, tile.row * problem.stride - problem.padding + i,
                   tile.column * problem.stride - problem.padding + j);
      for (std::int64_t c = 0; c < channels; c += kLanes) {
        const Loader<kPrologue> load(problem, tile.image, c);
        store_part(load(pixel), to + c, channels - c);
      }
      to += channels;
    }
  }
}

template <class F, bool kPrologue>
void transform_all(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                   const Tiles& tiles) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile tile = tile_at(problem, first + t);
    float* to = tiles.data + t * tiles.row;
    if constexpr (std::is_same_v<F, Form<ConvForm::kDirect>>) {
      gather_position<kPrologue>(problem, tile, to);
    } else {
      transform_tile<F, kPrologue>(problem, tile, to, tiles);
    }
  }
}

// ---- products ----

/// products[r] (+)= v[r] * u: kCount rows of `length` values times [length][kWidth].
template <int kCount>
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT v, std::int64_t row,
                              const float* HWY_RESTRICT u, std::int64_t length, bool add,
                              float* HWY_RESTRICT products) {
  Vector sums[kCount][2];
  for (int r = 0; r < kCount; ++r) {
    sums[r][0] = add ? hn::LoadU(kFloat, products + r * kWidth) : hn::Zero(kFloat);
    sums[r][1] = add ? hn::LoadU(kFloat, products + r * kWidth + kLanes) : hn::Zero(kFloat);
  }
  for (std::int64_t c = 0; c < length; ++c) {
    const Vector u0 = hn::LoadU(kFloat, u + c * kWidth);
    const Vector u1 = hn::LoadU(kFloat, u + c * kWidth + kLanes);
    for (int r = 0; r < kCount; ++r) {
      const Vector a = hn::Set(kFloat, v[r * row + c]);
      sums[r][0] = hn::MulAdd(a, u0, sums[r][0]);
      sums[r][1] = hn::MulAdd(a, u1, sums[r][1]);
    }
  }
  for (int r = 0; r < kCount; ++r) {
    hn::StoreU(sums[r][0], kFloat, products + r * kWidth);
    hn::StoreU(sums[r][1], kFloat, products + r * kWidth + kLanes);
  }
}

/// The same for count <= kRows rows, known at run time.
template <int kCount = kRows>
void multiply_some(std::int64_t count, const float* v, std::int64_t row, const float* u,
                   std::int64_t length, bool add, float* products) {
  if constexpr (kCount > 0) {
    if (count == kCount) {
      multiply_rows<kCount>(v, row, u, length, add, products);
    } else {
      multiply_some<kCount - 1>(count, v, row, u, length, add, products);
    }
  }
}

/// products [count][kWidth] of one plane, in stretches of filters that stay in the cache for all
/// rows: each filter is fetched from memory once.
void multiply_plane(std::int64_t count, const float* v, std::int64_t row, const float* u,
                    std::int64_t length, bool add, float* products) {
  constexpr std::int64_t kStretch = 1024;
  const std::int64_t groups = (count + kRows - 1) / kRows;
  const std::int64_t rows = (count + groups - 1) / groups;
  for (std::int64_t c = 0; c < length; c += kStretch) {
    for (std::int64_t t = 0; t < count; t += rows) {
      multiply_some(std::min(rows, count - t), v + t * row + c, row, u + c * kWidth,
                    std::min(kStretch, length - c), add || c > 0, products + t * kWidth);
    }
  }
}

// ---- outputs ----

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
  const std::int64_t count = problem.out_channels - k;
  Vector columns[kOut][Filter::kInputs];
  transform_products<F>(products, plane, columns);
  const int phase_y = phase / F::kPhases;
  const int phase_x = phase % F::kPhases;
  const std::int64_t first_y = (tile.row * kOut - phase_y) * F::kScale + phase_y;
  const std::int64_t first_x = (tile.column * kOut - phase_x) * F::kScale + phase_x;
  const Vector bias =
      problem.bias != nullptr ? load_part(problem.bias + k, count) : hn::Zero(kFloat);
  Vector overflow = hn::Zero(kFloat);
  for (int i = 0; i < kOut; ++i) {
    const std::int64_t y = first_y + i * F::kScale;
    if (y < 0 || y >= problem.out_height) {
      continue;
    }
    Vector row[kOut];
    transform_outputs<Filter>(columns[i], row);
    const std::int64_t line = (tile.image * problem.out_height + y) * problem.out_width;
    for (int j = 0; j < kOut; ++j) {
      const std::int64_t x = first_x + j * F::kScale;
      if (x < 0 || x >= problem.out_width) {
        continue;
      }
      const std::int64_t at = (line + x) * problem.out_channels + k;
      Vector value = hn::Add(row[j], bias);
      overflow = hn::MulAdd(value, hn::Zero(kFloat), overflow);  // NaN from here on if not finite
      if (problem.residual != nullptr) {
        value = hn::Add(value, load_part(problem.residual + at, count));
      }
      store_part(value, problem.y + at, count);
    }
  }
  return hn::AllTrue(kFloat, hn::Eq(overflow, overflow));
}

/// products [planes][count][kWidth] of one phase.
template <class F>
void multiply_phase(const ConvProblem& problem, std::int64_t count, const Tiles& tiles,
                    std::int64_t panel, int phase, const Workspace& workspace) {
  constexpr int kPlanes = F::Filter::kInputs * F::Filter::kInputs;
  constexpr bool kDirect = kPlanes == 1;
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  const std::int64_t plane = spread_stride(count * kWidth);
  if (kDirect || problem.layout == FilterLayout::kTransformed) {
    const std::int64_t filter = panel * F::kPhases * F::kPhases + phase;
    for (int p = 0; p < kPlanes; ++p) {
      multiply_plane(count, tiles.data + p * tiles.plane, tiles.row,
                     problem.panels + (filter * kPlanes + p) * length * kWidth, length,
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
        multiply_plane(count, tiles.data + p * tiles.plane + c / tiles.stretch * tiles.block,
                       tiles.row, workspace.filters + p * filter_plane, stretch, /*add=*/c > 0,
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

// ---- gradients of the filters ----

/// A d
template <class Filter, int kPair = 0>
HWY_INLINE void spread_pairs(const Vector* d, Vector* t) {
  if constexpr (kPair < Filter::kPairs) {
    const Vector even = dot<typename Filter::PointPowers, kPair, 0, 2>(d);
    const Vector odd = dot<typename Filter::PointPowers, kPair, 1, 2>(d);
    t[1 + 2 * kPair] = hn::Add(even, odd);
    t[2 + 2 * kPair] = hn::Sub(even, odd);
    spread_pairs<Filter, kPair + 1>(d, t);
  }
}

template <class Filter>
HWY_INLINE void spread_outputs(const Vector* d, Vector* t) {
  t[0] = d[0];
  spread_pairs<Filter>(d, t);
  t[Filter::kInputs - 1] = d[Filter::kOut - 1];
}

template <class F>
void transform_gradient_tile(const ConvProblem& problem, const float* gradient, const Tile& tile,
                             float* to, std::int64_t plane) {
  using Filter = typename F::Filter;
  constexpr int kOut = Filter::kOut;
  constexpr int kInputs = Filter::kInputs;
  const std::int64_t channels = problem.out_channels;
  for (std::int64_t k = 0; k < channels; k += kLanes) {
    Vector rows[kOut][kInputs];
    for (int i = 0; i < kOut; ++i) {
      const std::int64_t y = tile.row * kOut + i;
      Vector d[kOut];
      for (int j = 0; j < kOut; ++j) {
        const std::int64_t x = tile.column * kOut + j;
        const std::int64_t pixel = (tile.image * problem.out_height + y) * problem.out_width + x;
        d[j] = y < problem.out_height && x < problem.out_width
                   ? load_part(gradient + pixel * channels + k, channels - k)
                   : hn::Zero(kFloat);
      }
      spread_outputs<Filter>(d, rows[i]);
    }
    for (int j = 0; j < kInputs; ++j) {
      Vector d[kOut];
      for (int i = 0; i < kOut; ++i) {
        d[i] = rows[i][j];
      }
      Vector t[kInputs];
      spread_outputs<Filter>(d, t);
      for (int i = 0; i < kInputs; ++i) {
        hn::StoreU(t[i], kFloat, to + (i * kInputs + j) * plane + k);
      }
    }
  }
}

/// sums[r] (+)= sum over rows of x[r] * y: kCount channels times two vectors of outputs.
template <int kCount>
HWY_INLINE void add_columns(const RowProduct& rows, std::int64_t c, std::int64_t k, bool add,
                            float* HWY_RESTRICT sums, std::int64_t stride) {
  Vector total[kCount][2];
  for (int r = 0; r < kCount; ++r) {
    total[r][0] = add ? hn::LoadU(kFloat, sums + r * stride) : hn::Zero(kFloat);
    total[r][1] = add ? hn::LoadU(kFloat, sums + r * stride + kLanes) : hn::Zero(kFloat);
  }
  const float* HWY_RESTRICT x = rows.x + c;
  const float* HWY_RESTRICT y = rows.y + k;
  for (std::int64_t t = 0; t < rows.count; ++t, x += rows.x_row, y += rows.y_row) {
    const Vector y0 = hn::LoadU(kFloat, y);
    const Vector y1 = hn::LoadU(kFloat, y + kLanes);
    for (int r = 0; r < kCount; ++r) {
      const Vector a = hn::Set(kFloat, x[r]);
      total[r][0] = hn::MulAdd(a, y0, total[r][0]);
      total[r][1] = hn::MulAdd(a, y1, total[r][1]);
    }
  }
  for (int r = 0; r < kCount; ++r) {
    hn::StoreU(total[r][0], kFloat, sums + r * stride);
    hn::StoreU(total[r][1], kFloat, sums + r * stride + kLanes);
  }
}

template <int kCount = kRows>
void add_some_columns(std::int64_t count, const RowProduct& rows, std::int64_t c, std::int64_t k,
                      bool add, float* sums, std::int64_t stride) {
  if constexpr (kCount > 0) {
    if (count == kCount) {
      add_columns<kCount>(rows, c, k, add, sums, stride);
    } else {
      add_some_columns<kCount - 1>(count, rows, c, k, add, sums, stride);
    }
  }
}

void add_products_of_rows(const RowProduct& rows, bool add, float* sums) {
  const std::int64_t stride = (rows.out_channels + kWidth - 1) / kWidth * kWidth;
  const std::int64_t groups = (rows.channels + kRows - 1) / kRows;
  const std::int64_t each = (rows.channels + groups - 1) / groups;
  for (std::int64_t k = 0; k < rows.out_channels; k += kWidth) {
    for (std::int64_t c = 0; c < rows.channels; c += each) {
      add_some_columns(std::min(each, rows.channels - c), rows, c, k, add, sums + c * stride + k,
                       stride);
    }
  }
}

template <class Filter, int kTap = 0>
HWY_INLINE void gather_taps(const Vector* m, Vector* taps) {
  if constexpr (kTap < 3) {
    taps[kTap] = dot<typename Filter::TapsTransposed, kTap>(m);
    gather_taps<Filter, kTap + 1>(m, taps);
  }
}

template <class F>
void filter_gradient(const float* sums, std::int64_t channels, std::int64_t out_channels,
                     std::int64_t c, float* taps) {
  constexpr int kInputs = F::Filter::kInputs;
  const std::int64_t stride = (out_channels + kWidth - 1) / kWidth * kWidth;
  for (std::int64_t k = 0; k < out_channels; k += kLanes) {
    Vector columns[3][kInputs];
    for (int j = 0; j < kInputs; ++j) {
      Vector m[kInputs];
      for (int i = 0; i < kInputs; ++i) {
        m[i] = hn::LoadU(kFloat, sums + ((i * kInputs + j) * channels + c) * stride + k);
      }
      Vector values[3];
      gather_taps<typename F::Filter>(m, values);
      for (int a = 0; a < 3; ++a) {
        columns[a][j] = values[a];
      }
    }
    for (int a = 0; a < 3; ++a) {
      Vector values[3];
      gather_taps<typename F::Filter>(columns[a], values);
      for (int b = 0; b < 3; ++b) {
        store_part(values[b], taps + ((a * 3 + b) * channels + c) * out_channels + k,
                   out_channels - k);
      }
    }
  }
}

// ---- entries ----

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

void transform(const ConvProblem& problem, std::int64_t first, std::int64_t count,
               const Tiles& tiles) {
  with_form(problem.form, [&](auto f) {
    if (problem.prologue.maps != nullptr) {
      transform_all<decltype(f), true>(problem, first, count, tiles);
    } else {
      transform_all<decltype(f), false>(problem, first, count, tiles);
    }
  });
}

bool multiply(const ConvProblem& problem, std::int64_t first, std::int64_t count,
              const Tiles& tiles, std::int64_t panel, const Workspace& workspace) {
  return with_form(problem.form, [&](auto f) {
    return multiply_tiles<decltype(f)>(problem, first, count, tiles, panel, workspace);
  });
}

/// run(form) for the forms of training.
template <class Run>
void with_plain_form(ConvForm form, const Run& run) {
  if (form == ConvForm::kF4x4) {
    run(Form<ConvForm::kF4x4>{});
  } else {
    run(Form<ConvForm::kF6x6>{});
  }
}

void gradients(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
               std::int64_t count, const Tiles& tiles) {
  with_plain_form(problem.form, [&](auto f) {
    for (std::int64_t t = 0; t < count; ++t) {
      transform_gradient_tile<decltype(f)>(problem, y_gradient, tile_at(problem, first + t),
                                           tiles.data + t * tiles.row, tiles.plane);
    }
  });
}

void filter_gradient_of(ConvForm form, const float* sums, std::int64_t channels,
                        std::int64_t out_channels, std::int64_t c, float* taps) {
  with_plain_form(
      form, [&](auto f) { filter_gradient<decltype(f)>(sums, channels, out_channels, c, taps); });
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(width);
HWY_EXPORT(pack);
HWY_EXPORT(transform_filters);
HWY_EXPORT(transform);
HWY_EXPORT(multiply);
HWY_EXPORT(gradients);
HWY_EXPORT(add_products_of_rows);
HWY_EXPORT(filter_gradient_of);

std::int64_t panel_width() { return HWY_DYNAMIC_DISPATCH(width)(); }

void pack_taps(const FilterView& filter, std::int64_t panel, float* to) {
  HWY_DYNAMIC_DISPATCH(pack)(filter, panel, to);
}

void transform_taps(ConvForm form, const float* taps, std::int64_t channels, float* to) {
  HWY_DYNAMIC_DISPATCH(transform_filters)(form, taps, channels, to);
}

void transform_tiles(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                     const Tiles& tiles) {
  HWY_DYNAMIC_DISPATCH(transform)(problem, first, count, tiles);
}

bool multiply_panel(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                    const Tiles& tiles, std::int64_t panel, const Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(multiply)(problem, first, count, tiles, panel, workspace);
}

void transform_gradients(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
                         std::int64_t count, const Tiles& tiles) {
  HWY_DYNAMIC_DISPATCH(gradients)(problem, y_gradient, first, count, tiles);
}

void add_row_products(const RowProduct& rows, bool add, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_products_of_rows)(rows, add, sums);
}

void transform_filter_gradient(ConvForm form, const float* sums, std::int64_t channels,
                               std::int64_t out_channels, std::int64_t c, float* taps) {
  HWY_DYNAMIC_DISPATCH(filter_gradient_of)(form, sums, channels, out_channels, c, taps);
}

}  // namespace leaf::ops::cpu
#endif
