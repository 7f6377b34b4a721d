// Filters into their form: G g G^T, for each phase. Included once per instruction set.
#if defined(LEAF_OPS_CONV_TAPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LEAF_OPS_CONV_TAPS_INL_H_
#undef LEAF_OPS_CONV_TAPS_INL_H_
#else
#define LEAF_OPS_CONV_TAPS_INL_H_
#endif

#include <hwy/highway.h>

#include "conv_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

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

template <class Filter>
HWY_INLINE void evaluate(const Vector* taps, Vector* u) {
  constexpr int kLast = Filter::kInputs - 1;
  u[0] = dot<typename Filter::Taps, 0>(taps);
  evaluate_pairs<Filter>(taps, u);
  u[kLast] = dot<typename Filter::Taps, kLast>(taps);
}

template <class F, int kPhase>
HWY_INLINE void evaluate_taps(const Vector* g, Vector* u) {
  using Filter = typename F::Filter;
  if constexpr (Filter::kStride == 2) {
    const Vector outer[2] = {g[0], g[2]};
    evaluate<typename Filter::Even>(outer, u);
    for (int i = 0; i < Filter::kOut; ++i) {
      u[Filter::Even::kInputs + i] = g[1];
    }
  } else {
    Vector taps[3];
    phase_taps<F, kPhase>(g, taps);
    evaluate<Filter>(taps, u);
  }
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

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
