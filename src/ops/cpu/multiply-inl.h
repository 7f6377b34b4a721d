// Rows times a panel of filters, the inner loop of all products. Included once per instruction set.
#if defined(LEAF_OPS_MULTIPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LEAF_OPS_MULTIPLY_INL_H_
#undef LEAF_OPS_MULTIPLY_INL_H_
#else
#define LEAF_OPS_MULTIPLY_INL_H_
#endif

#include <hwy/highway.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

/// products[r] (+)= v[r] * u: kCount rows of `length` values times [length][kWidth], of which the
/// first kVectors vectors.
template <int kVectors, int kCount>
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT v, std::int64_t row,
                              const float* HWY_RESTRICT u, std::int64_t length, bool add,
                              float* HWY_RESTRICT products) {
  Vector sums[kCount][kVectors];  // in registers only where every loop over r is unrolled
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    for (int i = 0; i < kVectors; ++i) {
      sums[r][i] = add ? hn::LoadU(kFloat, products + r * kWidth + i * kLanes) : hn::Zero(kFloat);
    }
  }
  for (std::int64_t c = 0; c < length; ++c) {
    Vector filters[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      filters[i] = hn::LoadU(kFloat, u + c * kWidth + i * kLanes);
    }
#pragma GCC unroll 12
    for (int r = 0; r < kCount; ++r) {
      const Vector a = hn::Set(kFloat, v[r * row + c]);
      for (int i = 0; i < kVectors; ++i) {
        sums[r][i] = hn::MulAdd(a, filters[i], sums[r][i]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    for (int i = 0; i < kVectors; ++i) {
      hn::StoreU(sums[r][i], kFloat, products + r * kWidth + i * kLanes);
    }
  }
}

/// The same for count <= kRows rows, known at run time.
template <int kVectors, int kCount = kRows>
void multiply_some(std::int64_t count, const float* v, std::int64_t row, const float* u,
                   std::int64_t length, bool add, float* products) {
  if constexpr (kCount > 0) {
    if (count == kCount) {
      multiply_rows<kVectors, kCount>(v, row, u, length, add, products);
    } else {
      multiply_some<kVectors, kCount - 1>(count, v, row, u, length, add, products);
    }
  }
}

template <int kVectors>
void multiply_vectors(std::int64_t count, const float* v, std::int64_t row, const float* u,
                      std::int64_t length, bool add, float* products) {
  constexpr std::int64_t kStretch = 1024;
  const std::int64_t groups = (count + kRows - 1) / kRows;
  const std::int64_t rows = (count + groups - 1) / groups;
  for (std::int64_t c = 0; c < length; c += kStretch) {
    for (std::int64_t t = 0; t < count; t += rows) {
      multiply_some<kVectors>(std::min(rows, count - t), v + t * row + c, row, u + c * kWidth,
                              std::min(kStretch, length - c), add || c > 0, products + t * kWidth);
    }
  }
}

/// products [count][kWidth] of one plane, in stretches of filters that stay in the cache for all
/// rows: each filter is fetched from memory once. Of a panel with `columns` filters, which may all
/// lie in the first vector: the second is then left out, and what it held in products stays.
void multiply_plane(std::int64_t count, const float* v, std::int64_t row, const float* u,
                    std::int64_t length, std::int64_t columns, bool add, float* products) {
  if (columns > kLanes) {
    multiply_vectors<2>(count, v, row, u, length, add, products);
  } else {
    multiply_vectors<1>(count, v, row, u, length, add, products);
  }
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
