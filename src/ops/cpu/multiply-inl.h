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

/// products[r] (+)= v[r] * u: kCount rows of `length` values times [length][kWidth].
template <int kCount>
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT v, std::int64_t row,
                              const float* HWY_RESTRICT u, std::int64_t length, bool add,
                              float* HWY_RESTRICT products) {
  Vector sums[kCount][2];  // in registers only where every loop over r is unrolled
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    sums[r][0] = add ? hn::LoadU(kFloat, products + r * kWidth) : hn::Zero(kFloat);
    sums[r][1] = add ? hn::LoadU(kFloat, products + r * kWidth + kLanes) : hn::Zero(kFloat);
  }
  for (std::int64_t c = 0; c < length; ++c) {
    const Vector u0 = hn::LoadU(kFloat, u + c * kWidth);
    const Vector u1 = hn::LoadU(kFloat, u + c * kWidth + kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kCount; ++r) {
      const Vector a = hn::Set(kFloat, v[r * row + c]);
      sums[r][0] = hn::MulAdd(a, u0, sums[r][0]);
      sums[r][1] = hn::MulAdd(a, u1, sums[r][1]);
    }
  }
#pragma GCC unroll 12
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

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
