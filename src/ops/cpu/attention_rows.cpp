#include "attention_kernels.h"
#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention_rows.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target
//
#include <cstdint>

#include "multiply-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

void turn(const Rows& rows, float* to, std::int64_t stride, std::int64_t columns) {
  for (std::int64_t r = 0; r < columns; ++r) {
    const float* row = rows.data + r * rows.stride;
    for (std::int64_t i = 0; i < rows.width; ++i) {
      to[i * stride + r] = r < rows.count ? row[i] : 0.0F;
    }
  }
}

/// scores [keys][kWidth], a column for each query, to e^(scale * (score - the column's largest));
/// their sums, NaN where a score is not finite.
template <int kVectors>
void exponentiate(float* scores, std::int64_t keys, double scale, Vector (&sums)[kVectors]) {
  Vector largest[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    largest[i] = hn::LoadU(kFloat, scores + i * kLanes);
    sums[i] = hn::Zero(kFloat);
  }
  for (std::int64_t key = 0; key < keys; ++key) {
    for (int i = 0; i < kVectors; ++i) {
      const Vector score = hn::LoadU(kFloat, scores + key * kWidth + i * kLanes);
      largest[i] = hn::Max(largest[i], score);
      sums[i] = hn::MulAdd(score, hn::Zero(kFloat), sums[i]);
    }
  }
  for (std::int64_t key = 0; key < keys; ++key) {
    for (int i = 0; i < kVectors; ++i) {
      float* const at = scores + key * kWidth + i * kLanes;
      const Vector below = hn::Sub(hn::LoadU(kFloat, at), largest[i]);
      const Vector share = exp_approx(hn::Mul(below, constant(scale)));
      sums[i] = hn::Add(sums[i], share);
      hn::StoreU(share, kFloat, at);
    }
  }
}

template <int kVectors>
bool attend_columns(const AttentionBlock& block) {
  const Rows& queries = block.queries;
  const Rows& keys = block.keys;
  turn(queries, block.products, kWidth, kWidth);
  multiply_plane(keys.count, keys.data, keys.stride, block.products, keys.width, queries.count,
                 /*add=*/false, block.scores);
  Vector sums[kVectors];
  exponentiate(block.scores, keys.count, block.scale, sums);
  multiply_plane(queries.width, block.turned_values, block.value_stride, block.scores, keys.count,
                 queries.count, /*add=*/false, block.products);
  Vector overflow = hn::Zero(kFloat);
  for (int i = 0; i < kVectors; ++i) {
    const Vector inverse = hn::Div(constant(1.0), sums[i]);
    for (std::int64_t c = 0; c < queries.width; ++c) {
      float* const at = block.products + c * kWidth + i * kLanes;
      const Vector value = hn::Mul(hn::LoadU(kFloat, at), inverse);
      overflow = hn::MulAdd(value, hn::Zero(kFloat), overflow);
      hn::StoreU(value, kFloat, at);
    }
  }
  for (std::int64_t q = 0; q < queries.count; ++q) {
    for (std::int64_t c = 0; c < queries.width; ++c) {
      block.out[q * block.out_stride + c] = block.products[c * kWidth + q];
    }
  }
  return hn::AllTrue(kFloat, hn::Eq(overflow, overflow));
}

bool attend(const AttentionBlock& block) {
  return block.queries.count > kLanes ? attend_columns<2>(block) : attend_columns<1>(block);
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(turn);
HWY_EXPORT(attend);

void turn_rows(const Rows& rows, float* to, std::int64_t stride, std::int64_t columns) {
  HWY_DYNAMIC_DISPATCH(turn)(rows, to, stride, columns);
}

bool attend_block(const AttentionBlock& block) { return HWY_DYNAMIC_DISPATCH(attend)(block); }

}  // namespace leaf::ops::cpu
#endif
