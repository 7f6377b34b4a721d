// Vectors of the instruction set that is being compiled for, and functions of them. Included once
// per instruction set.
#if defined(LEAF_OPS_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LEAF_OPS_VECTOR_INL_H_
#undef LEAF_OPS_VECTOR_INL_H_
#else
#define LEAF_OPS_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using Vector = hn::Vec<Float>;
constexpr Float kFloat;
constexpr std::int64_t kLanes = HWY_LANES(float);
constexpr std::int64_t kWidth = 2 * kLanes;
/// Rows of accumulators, at most two vectors each: as many as leave registers for a row of filters.
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

/// By Newton's method, several times faster than a division.
HWY_INLINE Vector inverse_of(Vector divisor) {
  Vector inverse = hn::ApproximateReciprocal(divisor);  // 8 bits or more
  inverse = hn::Mul(inverse, hn::NegMulAdd(divisor, inverse, constant(2.0)));
  return hn::Mul(inverse, hn::NegMulAdd(divisor, inverse, constant(2.0)));
}

/// z / (1 + e^-z). Finite for every finite z, since e^-z is at most e^87.
HWY_INLINE Vector silu(Vector z) {
  return hn::Mul(z, inverse_of(hn::Add(constant(1.0), exp_approx(hn::Neg(z)))));
}

/// s (1 + z (1 - s)) with s = 1 / (1 + e^-z), of which 1 - s = e^-z s loses no digits.
HWY_INLINE Vector silu_derivative(Vector z) {
  const Vector power = exp_approx(hn::Neg(z));
  const Vector s = inverse_of(hn::Add(constant(1.0), power));
  return hn::Mul(s, hn::MulAdd(z, hn::Mul(power, s), constant(1.0)));
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
