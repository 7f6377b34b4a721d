#include "group_norm_rows.h"

#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/group_norm_rows.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target
//
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

/// The map of one vector of channels, the first `count` of it.
class VectorMap {
 public:
  VectorMap(const ChannelMap& map, std::int64_t c, std::int64_t count)
      : center_(load_part(map.center + c, count)),
        slope_(load_part(map.slope + c, count)),
        intercept_(load_part(map.intercept + c, count)) {}

  HWY_INLINE Vector centered(Vector x) const { return hn::Sub(x, center_); }
  HWY_INLINE Vector of_centered(Vector x) const { return hn::MulAdd(x, slope_, intercept_); }
  HWY_INLINE Vector slope() const { return slope_; }

 private:
  Vector center_, slope_, intercept_;
};

/// The gradient with respect to z, given that of what follows it.
template <bool kSilu>
HWY_INLINE Vector through(Vector grad, Vector z) {
  return kSilu ? hn::Mul(grad, silu_derivative(z)) : grad;
}

using Double = hn::ScalableTag<double>;
constexpr Double kDouble;
using HalfFloat = hn::Rebind<float, Double>;
constexpr HalfFloat kHalfFloat;
constexpr std::int64_t kDoubleLanes = HWY_LANES(double);

HWY_INLINE void add_to(hn::Vec<Double> values, double* sums) {
  hn::StoreU(hn::Add(hn::LoadU(kDouble, sums), values), kDouble, sums);
}

/// sums[0 .. count - 1] += values.
HWY_INLINE void add_part_to(Vector values, std::int64_t count, double* sums) {
  float parts[kLanes];
  hn::StoreU(values, kFloat, parts);
  if (count >= kLanes) {
    for (std::int64_t i = 0; i < kLanes; i += kDoubleLanes) {
      add_to(hn::PromoteTo(kDouble, hn::LoadU(kHalfFloat, parts + i)), sums + i);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      sums[i] += static_cast<double>(parts[i]);
    }
  }
}

template <int kPixels>
void add_sums_of(const float* x, std::int64_t channels, double* sum, double* sum_squares) {
  std::int64_t c = 0;
  for (; c + kDoubleLanes <= channels; c += kDoubleLanes) {
    auto total = hn::Zero(kDouble);
    auto squares = hn::Zero(kDouble);
    for (int p = 0; p < kPixels; ++p) {
      const auto value = hn::PromoteTo(kDouble, hn::LoadU(kHalfFloat, x + p * channels + c));
      total = hn::Add(total, value);
      squares = hn::MulAdd(value, value, squares);
    }
    add_to(total, sum + c);
    add_to(squares, sum_squares + c);
  }
  for (; c < channels; ++c) {
    for (int p = 0; p < kPixels; ++p) {
      const double value = x[p * channels + c];
      sum[c] += value;
      sum_squares[c] += value * value;
    }
  }
}

/// The sums of several pixels at a time go to memory together.
constexpr std::int64_t kTogether = 4;

void sum_rows(const float* x, std::int64_t pixels, std::int64_t channels, double* sum,
              double* sum_squares) {
  std::int64_t p = 0;
  for (; p + kTogether <= pixels; p += kTogether) {
    add_sums_of<kTogether>(x + p * channels, channels, sum, sum_squares);
  }
  for (; p < pixels; ++p) {
    add_sums_of<1>(x + p * channels, channels, sum, sum_squares);
  }
}

template <bool kSilu>
void map_all(const float* x, float* y, std::int64_t pixels, std::int64_t channels,
             const ChannelMap& map) {
  for (std::int64_t i = 0; i < pixels * channels; i += channels) {
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t count = channels - c;
      const VectorMap vector(map, c, count);
      const Vector z = vector.of_centered(vector.centered(load_part(x + i + c, count)));
      store_part(kSilu ? silu(z) : z, y + i + c, count);
    }
  }
}

void map_values(const float* x, float* y, std::int64_t pixels, std::int64_t channels,
                const ChannelMap& map, bool with_silu) {
  with_silu ? map_all<true>(x, y, pixels, channels, map)
            : map_all<false>(x, y, pixels, channels, map);
}

template <bool kSilu, int kPixels>
void add_gradients_of(const float* grad, const float* x, std::int64_t channels,
                      const ChannelMap& map, double* sum, double* sum_centered) {
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    const std::int64_t count = channels - c;
    const VectorMap vector(map, c, count);
    Vector total = hn::Zero(kFloat);
    Vector total_centered = hn::Zero(kFloat);
    for (int p = 0; p < kPixels; ++p) {
      const Vector centered = vector.centered(load_part(x + p * channels + c, count));
      const Vector dz =
          through<kSilu>(load_part(grad + p * channels + c, count), vector.of_centered(centered));
      total = hn::Add(total, dz);
      total_centered = hn::MulAdd(dz, centered, total_centered);
    }
    add_part_to(total, count, sum + c);
    add_part_to(total_centered, count, sum_centered + c);
  }
}

template <bool kSilu>
void sum_gradients_of(const float* grad, const float* x, std::int64_t pixels, std::int64_t channels,
                      const ChannelMap& map, double* sum, double* sum_centered) {
  std::int64_t p = 0;
  for (; p + kTogether <= pixels; p += kTogether) {
    add_gradients_of<kSilu, kTogether>(grad + p * channels, x + p * channels, channels, map, sum,
                                       sum_centered);
  }
  for (; p < pixels; ++p) {
    add_gradients_of<kSilu, 1>(grad + p * channels, x + p * channels, channels, map, sum,
                               sum_centered);
  }
}

void sum_gradient_rows(const float* grad, const float* x, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool with_silu, double* sum,
                       double* sum_centered) {
  with_silu ? sum_gradients_of<true>(grad, x, pixels, channels, map, sum, sum_centered)
            : sum_gradients_of<false>(grad, x, pixels, channels, map, sum, sum_centered);
}

template <bool kSilu>
void map_gradients_of(const float* grad, const float* x, float* dx, std::int64_t pixels,
                      std::int64_t channels, const ChannelMap& map, const MomentGradient& moment) {
  for (std::int64_t i = 0; i < pixels * channels; i += channels) {
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t count = channels - c;
      const VectorMap vector(map, c, count);
      const Vector centered = vector.centered(load_part(x + i + c, count));
      const Vector dz =
          through<kSilu>(load_part(grad + i + c, count), vector.of_centered(centered));
      const Vector shared = hn::MulAdd(centered, load_part(moment.linear + c, count),
                                       load_part(moment.constant + c, count));
      store_part(hn::MulAdd(dz, vector.slope(), shared), dx + i + c, count);
    }
  }
}

void map_all_gradients(const float* grad, const float* x, float* dx, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool with_silu,
                       const MomentGradient& moment) {
  with_silu ? map_gradients_of<true>(grad, x, dx, pixels, channels, map, moment)
            : map_gradients_of<false>(grad, x, dx, pixels, channels, map, moment);
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(sum_rows);
HWY_EXPORT(map_values);
HWY_EXPORT(sum_gradient_rows);
HWY_EXPORT(map_all_gradients);

void add_sums(const float* x, std::int64_t pixels, std::int64_t channels, double* sum,
              double* sum_squares) {
  HWY_DYNAMIC_DISPATCH(sum_rows)(x, pixels, channels, sum, sum_squares);
}

void map_rows(const float* x, float* y, std::int64_t pixels, std::int64_t channels,
              const ChannelMap& map, bool silu) {
  HWY_DYNAMIC_DISPATCH(map_values)(x, y, pixels, channels, map, silu);
}

void add_gradient_sums(const float* grad, const float* x, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu, double* sum,
                       double* sum_centered) {
  HWY_DYNAMIC_DISPATCH(sum_gradient_rows)
  (grad, x, pixels, channels, map, silu, sum, sum_centered);
}

void map_gradient_rows(const float* grad, const float* x, float* dx, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu,
                       const MomentGradient& moment) {
  HWY_DYNAMIC_DISPATCH(map_all_gradients)(grad, x, dx, pixels, channels, map, silu, moment);
}

}  // namespace leaf::ops::cpu
#endif
