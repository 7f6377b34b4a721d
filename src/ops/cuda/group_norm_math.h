#pragma once

#include <cmath>

// The arithmetic of GroupNorm on a GPU, one number at a time. Plain constexpr templates: the
// kernels use them, and the tests run them on the CPU.
namespace leaf::ops::cuda {

/// Sums over pixels and the channels of a group, taken around `shift`, a value of that group: the
/// difference of squares then loses no digits where the mean exceeds the spread.
struct Sums {
  float first = 0;   ///< of x - shift; backwards of the gradient
  float second = 0;  ///< of its square; backwards of gradient times normalised x
};

constexpr Sums operator+(const Sums& a, const Sums& b) {
  return {a.first + b.first, a.second + b.second};
}

struct Moments {
  float mean;
  float rstd;
};

/// y = slope * x + intercept, then SiLU where asked.
struct Affine {
  float slope;
  float intercept;
};

/// The gradient of x: from_grad * (gradient of the affine's result) + from_x * x + constant.
struct GradientMap {
  float from_grad;
  float from_x;
  float constant;
};

template <typename Float>
constexpr Float sigmoid(Float u) {
  return Float(1) / (Float(1) + std::exp(-u));
}

template <typename Float>
constexpr Float silu(Float u) {
  return u * sigmoid(u);
}

/// The derivative of silu.
template <typename Float>
constexpr Float silu_slope(Float u) {
  const Float s = sigmoid(u);
  return s * (Float(1) + u * (Float(1) - s));
}

template <typename Float>
constexpr Moments moments(const Sums& sums, Float count, Float shift, Float eps) {
  const Float around = sums.first / count;
  const Float variance = sums.second / count - around * around;
  // A NaN is kept: it spoils its group, as on the CPU.
  return {shift + around, Float(1) / std::sqrt((variance < 0 ? Float(0) : variance) + eps)};
}

template <typename Float>
constexpr Affine affine(const Moments& m, Float gain, Float offset) {
  const Float slope = m.rstd * gain;
  return {slope, offset - m.mean * slope};
}

/// `means`: over the group, of gradient * gain and of gradient * gain * normalised x.
template <typename Float>
constexpr GradientMap gradient_map(const Moments& m, Float gain, const Sums& means) {
  const Float from_x = -m.rstd * m.rstd * means.second;
  return {m.rstd * gain, from_x, -m.rstd * means.first - from_x * m.mean};
}

}  // namespace leaf::ops::cuda
