#include "attention_kernels.h"
#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention_rows.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target
//
#include <algorithm>
#include <cstdint>
#include <limits>

#include "multiply-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

std::int64_t panels_of(std::int64_t count) { return divide_up(count, kWidth); }

void turn(const Rows& rows, float* to) {
  for (std::int64_t first = 0; first < rows.count; first += kWidth, to += rows.width * kWidth) {
    for (std::int64_t r = 0; r < kWidth; ++r) {
      const float* row = rows.data + (first + r) * rows.stride;
      for (std::int64_t i = 0; i < rows.width; ++i) {
        to[i * kWidth + r] = first + r < rows.count ? row[i] : 0.0F;
      }
    }
  }
}

void split_columns(const Rows& rows, float* to) {
  for (std::int64_t first = 0; first < rows.width; first += kWidth) {
    for (std::int64_t r = 0; r < rows.count; ++r, to += kWidth) {
      const float* row = rows.data + r * rows.stride + first;
      for (std::int64_t half = 0; half < kWidth; half += kLanes) {
        const std::int64_t count = rows.width - first - half;
        hn::StoreU(count > 0 ? load_part(row + half, count) : hn::Zero(kFloat), kFloat, to + half);
      }
    }
  }
}

/// Scores of one query, and what the keys behind the last one are.
class ScoreRow {
 public:
  ScoreRow(const AttentionBlock& block, std::int64_t query)
      : first_(block.scores + query * kWidth),
        panel_(block.queries.count * kWidth),
        keys_(block.keys) {}

  /// Keys c .. c + kLanes - 1; `behind` where there is none.
  HWY_INLINE Vector at(std::int64_t c, Vector behind) const {
    const Vector scores = hn::LoadU(kFloat, first_ + c / kWidth * panel_ + c % kWidth);
    return c + kLanes <= keys_ ? scores : keep(c, scores, behind);
  }

  HWY_INLINE Vector keep(std::int64_t c, Vector values, Vector behind) const {
    const auto there = hn::FirstN(kFloat, static_cast<std::size_t>(std::min(kLanes, keys_ - c)));
    return hn::IfThenElse(there, values, behind);
  }

 private:
  const float* first_;
  std::int64_t panel_;
  std::int64_t keys_;
};

/// Scores to e^(scale * (score - the largest)), whose sum is returned; NaN if a score is not
/// finite.
float exponentiate(const AttentionBlock& block, std::int64_t query, float* shares) {
  const ScoreRow row(block, query);
  const Vector lowest = constant(std::numeric_limits<float>::lowest());
  Vector largest = lowest;
  Vector overflow = hn::Zero(kFloat);
  for (std::int64_t c = 0; c < block.keys; c += kLanes) {
    const Vector scores = row.at(c, lowest);
    largest = hn::Max(largest, scores);
    overflow = hn::MulAdd(scores, hn::Zero(kFloat), overflow);
  }
  largest = hn::MaxOfLanes(kFloat, largest);
  const Vector scale = constant(block.scale);
  Vector sum = overflow;
  for (std::int64_t c = 0; c < block.keys; c += kLanes) {
    const Vector power = exp_approx(hn::Mul(hn::Sub(row.at(c, largest), largest), scale));
    const Vector share = c + kLanes <= block.keys ? power : row.keep(c, power, hn::Zero(kFloat));
    sum = hn::Add(sum, share);
    hn::StoreU(share, kFloat, shares + c);
  }
  return hn::GetLane(hn::SumOfLanes(kFloat, sum));
}

bool attend(const AttentionBlock& block) {
  const Rows& queries = block.queries;
  for (std::int64_t panel = 0; panel < panels_of(block.keys); ++panel) {
    multiply_plane(queries.count, queries.data, queries.stride,
                   block.packed_keys + panel * queries.width * kWidth, queries.width,
                   /*add=*/false, block.scores + panel * queries.count * kWidth);
  }
  float sums[kMostQueries];
  const std::int64_t share_stride = spread_stride(panels_of(block.keys) * kWidth);
  for (std::int64_t q = 0; q < queries.count; ++q) {
    sums[q] = exponentiate(block, q, block.shares + q * share_stride);
  }
  Vector overflow = hn::Zero(kFloat);
  for (std::int64_t panel = 0; panel < panels_of(queries.width); ++panel) {
    float* products = block.scores;  // no longer needed
    multiply_plane(queries.count, block.shares, share_stride,
                   block.packed_values + panel * block.keys * kWidth, block.keys, /*add=*/false,
                   products);
    for (std::int64_t q = 0; q < queries.count; ++q) {
      const Vector inverse = hn::Set(kFloat, 1 / sums[q]);
      for (std::int64_t c = panel * kWidth; c < std::min(queries.width, (panel + 1) * kWidth);
           c += kLanes) {
        const Vector product = hn::LoadU(kFloat, products + q * kWidth + c % kWidth);
        const Vector value = hn::Mul(product, inverse);
        overflow = hn::MulAdd(value, hn::Zero(kFloat), overflow);
        store_part(value, block.out + q * block.out_stride + c, queries.width - c);
      }
    }
  }
  return hn::AllTrue(kFloat, hn::Eq(overflow, overflow));
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(turn);
HWY_EXPORT(split_columns);
HWY_EXPORT(attend);

void pack_turned(const Rows& rows, float* to) { HWY_DYNAMIC_DISPATCH(turn)(rows, to); }

void pack_columns(const Rows& rows, float* to) { HWY_DYNAMIC_DISPATCH(split_columns)(rows, to); }

bool attend_block(const AttentionBlock& block) { return HWY_DYNAMIC_DISPATCH(attend)(block); }

}  // namespace leaf::ops::cpu
#endif
