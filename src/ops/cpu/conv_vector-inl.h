// What all kernels of convolution share: constants times vectors, tiles. Included once per
// instruction set.
#if defined(LEAF_OPS_CONV_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LEAF_OPS_CONV_VECTOR_INL_H_
#undef LEAF_OPS_CONV_VECTOR_INL_H_
#else
#define LEAF_OPS_CONV_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include <array>
#include <type_traits>

#include "conv_forms.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
