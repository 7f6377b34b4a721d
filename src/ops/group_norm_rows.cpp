#include "group_norm_rows.h"

#include <bit>

// A function attribute, so it has to be a macro. Clang and other processors take the plain loops.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LEAF_FOR_EACH_INSTRUCTION_SET \
  [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define LEAF_FOR_EACH_INSTRUCTION_SET
#endif

namespace leaf::ops::cpu {
namespace {

// Helpers are inlined by force: each clone must contain them to compile them for its instruction
// set. Their loops over channels are plain enough for the compiler to vectorise.

/// e^t to about 1e-7 relative, free of branches and calls. 0 < result; +inf from 88.4 on; t below
/// -87 counts as -87. A NaN gives some number.
[[gnu::always_inline]] inline float exp_approx(float t) {
  constexpr float kLog2E = 1.44269504088896341F;
  constexpr float kLn2High = 0.693359375F;  // few bits: n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it leaves round(t) in the low bits
  t = t > -87.0F ? t : -87.0F;
  t = t < 89.0F ? t : 89.0F;
  const float rounded = t * kLog2E + kRounder;
  const float n = rounded - kRounder;
  const float r = (t - n * kLn2High) - n * kLn2Low;  // |r| <= ln(2)/2
  float p = 1.0F / 720.0F;                           // Taylor series: its next term is 1.2e-7
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(rounded) + 127U) << 23U;
  return p * std::bit_cast<float>(exponent);
}

[[gnu::always_inline]] inline float sigmoid(float z) { return 1.0F / (1.0F + exp_approx(-z)); }

[[gnu::always_inline]] inline float silu_of(float z) { return z / (1.0F + exp_approx(-z)); }

[[gnu::always_inline]] inline float silu_derivative(float z) {
  const float s = sigmoid(z);
  return s * (1.0F + z * (1.0F - s));
}

template <int kRows>
[[gnu::always_inline]] inline void add_sums_of(const float* __restrict x, std::int64_t channels,
                                               double* __restrict sum,
                                               double* __restrict sum_squares) {
  for (std::int64_t c = 0; c < channels; ++c) {
    double s = 0;
    double q = 0;
    for (int row = 0; row < kRows; ++row) {
      const double value = x[row * channels + c];
      s += value;
      q += value * value;
    }
    sum[c] += s;
    sum_squares[c] += q;
  }
}

template <bool kSilu>
[[gnu::always_inline]] inline void map_row(const float* __restrict x, float* __restrict y,
                                           std::int64_t channels, const ChannelMap& map) {
  const float* __restrict center = map.center;
  const float* __restrict slope = map.slope;
  const float* __restrict intercept = map.intercept;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float z = (x[c] - center[c]) * slope[c] + intercept[c];
    y[c] = kSilu ? silu_of(z) : z;
  }
}

template <bool kSilu, int kRows>
[[gnu::always_inline]] inline void add_gradient_sums_of(
    const float* __restrict grad, const float* __restrict x, std::int64_t channels,
    const ChannelMap& map, double* __restrict sum, double* __restrict sum_centered) {
  const float* __restrict center = map.center;
  const float* __restrict slope = map.slope;
  const float* __restrict intercept = map.intercept;
  for (std::int64_t c = 0; c < channels; ++c) {
    float s = 0;
    float q = 0;
    for (int row = 0; row < kRows; ++row) {
      const float centered = x[row * channels + c] - center[c];
      float dz = grad[row * channels + c];
      if constexpr (kSilu) {
        dz *= silu_derivative(centered * slope[c] + intercept[c]);
      }
      s += dz;
      q += dz * centered;
    }
    sum[c] += s;
    sum_centered[c] += q;
  }
}

template <bool kSilu>
[[gnu::always_inline]] inline void map_gradient_row(const float* __restrict grad,
                                                    const float* __restrict x, float* __restrict dx,
                                                    std::int64_t channels, const ChannelMap& map,
                                                    const MomentGradient& moment) {
  const float* __restrict center = map.center;
  const float* __restrict slope = map.slope;
  const float* __restrict intercept = map.intercept;
  const float* __restrict linear = moment.linear;
  const float* __restrict constant = moment.constant;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float centered = x[c] - center[c];
    float dz = grad[c];
    if constexpr (kSilu) {
      dz *= silu_derivative(centered * slope[c] + intercept[c]);
    }
    dx[c] = dz * slope[c] + (centered * linear[c] + constant[c]);
  }
}

template <bool kSilu>
[[gnu::always_inline]] inline void add_all_gradient_sums(const float* grad, const float* x,
                                                         std::int64_t pixels, std::int64_t channels,
                                                         const ChannelMap& map, double* sum,
                                                         double* sum_centered) {
  std::int64_t p = 0;
  for (; p + 4 <= pixels; p += 4) {
    add_gradient_sums_of<kSilu, 4>(grad + p * channels, x + p * channels, channels, map, sum,
                                   sum_centered);
  }
  for (; p < pixels; ++p) {
    add_gradient_sums_of<kSilu, 1>(grad + p * channels, x + p * channels, channels, map, sum,
                                   sum_centered);
  }
}

}  // namespace

LEAF_FOR_EACH_INSTRUCTION_SET
void add_sums(const float* x, std::int64_t pixels, std::int64_t channels, double* sum,
              double* sum_squares) {
  std::int64_t p = 0;
  for (; p + 4 <= pixels; p += 4) {
    add_sums_of<4>(x + p * channels, channels, sum, sum_squares);
  }
  for (; p < pixels; ++p) {
    add_sums_of<1>(x + p * channels, channels, sum, sum_squares);
  }
}

LEAF_FOR_EACH_INSTRUCTION_SET
void map_rows(const float* x, float* y, std::int64_t pixels, std::int64_t channels,
              const ChannelMap& map, bool silu) {
  for (std::int64_t i = 0; i < pixels * channels; i += channels) {
    if (silu) {
      map_row<true>(x + i, y + i, channels, map);
    } else {
      map_row<false>(x + i, y + i, channels, map);
    }
  }
}

LEAF_FOR_EACH_INSTRUCTION_SET
void add_gradient_sums(const float* grad, const float* x, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu, double* sum,
                       double* sum_centered) {
  if (silu) {
    add_all_gradient_sums<true>(grad, x, pixels, channels, map, sum, sum_centered);
  } else {
    add_all_gradient_sums<false>(grad, x, pixels, channels, map, sum, sum_centered);
  }
}

LEAF_FOR_EACH_INSTRUCTION_SET
void map_gradient_rows(const float* grad, const float* x, float* dx, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu,
                       const MomentGradient& moment) {
  for (std::int64_t i = 0; i < pixels * channels; i += channels) {
    if (silu) {
      map_gradient_row<true>(grad + i, x + i, dx + i, channels, map, moment);
    } else {
      map_gradient_row<false>(grad + i, x + i, dx + i, channels, map, moment);
    }
  }
}

}  // namespace leaf::ops::cpu
