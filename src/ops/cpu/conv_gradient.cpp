#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/conv_gradient.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target

#include <algorithm>
#include <cstdint>
//
#include "conv_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

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

/// sums[r] (+)= sum over rows of x[r] * y: kCount channels times kVectors vectors of outputs.
template <int kVectors, int kCount>
HWY_INLINE void add_columns(const RowProduct& rows, std::int64_t c, std::int64_t k, bool add,
                            float* HWY_RESTRICT sums, std::int64_t stride) {
  Vector total[kCount][kVectors];
  for (int r = 0; r < kCount; ++r) {
    for (int i = 0; i < kVectors; ++i) {
      total[r][i] = add ? hn::LoadU(kFloat, sums + r * stride + i * kLanes) : hn::Zero(kFloat);
    }
  }
  const float* HWY_RESTRICT x = rows.x + c;
  const float* HWY_RESTRICT y = rows.y + k;
  for (std::int64_t t = 0; t < rows.count; ++t, x += rows.x_row, y += rows.y_row) {
    Vector outputs[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      outputs[i] = hn::LoadU(kFloat, y + i * kLanes);
    }
    for (int r = 0; r < kCount; ++r) {
      const Vector a = hn::Set(kFloat, x[r]);
      for (int i = 0; i < kVectors; ++i) {
        total[r][i] = hn::MulAdd(a, outputs[i], total[r][i]);
      }
    }
  }
  for (int r = 0; r < kCount; ++r) {
    for (int i = 0; i < kVectors; ++i) {
      hn::StoreU(total[r][i], kFloat, sums + r * stride + i * kLanes);
    }
  }
}

template <int kVectors, int kCount = kRows>
void add_some_columns(std::int64_t count, const RowProduct& rows, std::int64_t c, std::int64_t k,
                      bool add, float* sums, std::int64_t stride) {
  if constexpr (kCount > 0) {
    if (count == kCount) {
      add_columns<kVectors, kCount>(rows, c, k, add, sums, stride);
    } else {
      add_some_columns<kVectors, kCount - 1>(count, rows, c, k, add, sums, stride);
    }
  }
}

void add_products_of_rows(const RowProduct& rows, bool add, float* sums) {
  const std::int64_t stride = (rows.out_channels + kWidth - 1) / kWidth * kWidth;
  const std::int64_t groups = (rows.channels + kRows - 1) / kRows;
  const std::int64_t each = (rows.channels + groups - 1) / groups;
  for (std::int64_t k = 0; k < rows.out_channels; k += kWidth) {
    for (std::int64_t c = 0; c < rows.channels; c += each) {
      const std::int64_t count = std::min(each, rows.channels - c);
      float* to = sums + c * stride + k;
      if (rows.out_channels - k > kLanes) {
        add_some_columns<2>(count, rows, c, k, add, to, stride);
      } else {  // nothing was written to the second vector
        add_some_columns<1>(count, rows, c, k, add, to, stride);
      }
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

using F4x4 = Form<ConvForm::kF4x4>;

void gradients(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
               std::int64_t count, const Tiles& tiles) {
  for (std::int64_t t = 0; t < count; ++t) {
    transform_gradient_tile<F4x4>(problem, y_gradient, tile_at(problem, first + t),
                                  tiles.data + t * tiles.row, tiles.plane);
  }
}

void filter_gradient_of(const float* sums, std::int64_t channels, std::int64_t out_channels,
                        std::int64_t c, float* taps) {
  filter_gradient<F4x4>(sums, channels, out_channels, c, taps);
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(gradients);
HWY_EXPORT(add_products_of_rows);
HWY_EXPORT(filter_gradient_of);

void transform_gradients(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
                         std::int64_t count, const Tiles& tiles) {
  HWY_DYNAMIC_DISPATCH(gradients)(problem, y_gradient, first, count, tiles);
}

void add_row_products(const RowProduct& rows, bool add, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_products_of_rows)(rows, add, sums);
}

void transform_filter_gradient(const float* sums, std::int64_t channels, std::int64_t out_channels,
                               std::int64_t c, float* taps) {
  HWY_DYNAMIC_DISPATCH(filter_gradient_of)(sums, channels, out_channels, c, taps);
}

}  // namespace leaf::ops::cpu
#endif
