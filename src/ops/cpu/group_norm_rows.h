#pragma once

#include <cstdint>

// The inner loops of channels-last GroupNorm: `pixels` rows of `channels` floats each, one row
// after the other. Compiled for several instruction sets, the best one is taken at run time.
namespace leaf::ops::cpu {

/// One image's affine map in the form that loses no digits: z = (x - center) * slope + intercept,
/// the difference being exact where x lies near its group's mean. Each [C].
struct ChannelMap {
  const float* center;
  const float* slope;
  const float* intercept;
};

/// sum[c] += x, sum_squares[c] += x^2.
void add_sums(const float* x, std::int64_t pixels, std::int64_t channels, double* sum,
              double* sum_squares);

/// y = z, or silu(z).
void map_rows(const float* x, float* y, std::int64_t pixels, std::int64_t channels,
              const ChannelMap& map, bool silu);

/// With dz the gradient with respect to z: sum[c] += dz, sum_centered[c] += dz * (x - center).
void add_gradient_sums(const float* grad, const float* x, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu, double* sum,
                       double* sum_centered);

/// What the mean and the variance pass on, dx = dz * slope + (x - center) * linear + constant. [C].
struct MomentGradient {
  const float* linear;
  const float* constant;
};

void map_gradient_rows(const float* grad, const float* x, float* dx, std::int64_t pixels,
                       std::int64_t channels, const ChannelMap& map, bool silu,
                       const MomentGradient& moment);

}  // namespace leaf::ops::cpu
