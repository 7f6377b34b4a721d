#include "ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "each_target.h"
#include "support/golden.h"

namespace leaf::ops {
namespace {

struct AttentionInputs {
  at::Tensor q, k, v;
};

struct Sizes {
  std::int64_t images, heads, queries, keys, width;
};

// Few and odd numbers of everything, each beside a panel's width; LibTorch's path first.
const std::vector<Sizes> kSizes = {{2, 3, 5, 7, 8},     {1, 1, 1, 64, 1},   {2, 8, 64, 64, 48},
                                   {1, 2, 130, 97, 24}, {2, 1, 49, 81, 37}, {1, 1, 256, 256, 512}};

/// Parts of one tensor with the heads inside, as the networks have them; `spread` scores.
AttentionInputs make_inputs(const Sizes& s, double spread = 1) {
  const auto part = [&](std::int64_t rows, std::uint64_t seed) {
    return at::randn({s.images, rows, s.heads, 3 * s.width},
                     at::make_generator<at::CPUGeneratorImpl>(seed))
        .narrow(3, s.width, s.width)
        .transpose(1, 2);
  };
  return {.q = part(s.queries, 1) * spread, .k = part(s.keys, 2), .v = part(s.keys, 3)};
}

at::Tensor expected(const AttentionInputs& in) {
  const auto [q, k, v] =
      std::tuple(in.q.to(at::kDouble), in.k.to(at::kDouble), in.v.to(at::kDouble));
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  const at::Tensor mixed = at::matmul(at::softmax(at::matmul(q, k.transpose(2, 3)) * scale, -1), v);
  return mixed.transpose(1, 2).flatten(2);
}

void expect_right(double spread, double tolerance) {
  const c10::InferenceMode inference;
  for (const Sizes& s : kSizes) {
    const AttentionInputs in = make_inputs(s, spread);
    const at::Tensor mixed = attention(in.q, in.k, in.v);
    ASSERT_EQ(mixed.sizes(), at::IntArrayRef({s.images, s.queries, s.heads * s.width}));
    EXPECT_LE(leaf::test::relative_error(mixed, expected(in)), tolerance)
        << s.queries << " queries, " << s.keys << " keys, width " << s.width;
  }
}

// Else every other test here would pass on LibTorch alone.
TEST(Attention, RunsByOurKernelsForEnoughKeys) {
  const c10::InferenceMode inference;
  for (const auto& [keys, ours] : {std::pair(64, true), {7, false}}) {
    static bool seen = false;
    seen = false;
    const auto handle =
        at::addThreadLocalCallback(at::RecordFunctionCallback([](const at::RecordFunction& record) {
          seen |= std::string_view(record.name()).starts_with("attention of");
          return std::unique_ptr<at::ObserverContext>();
        }));
    const AttentionInputs in = make_inputs({2, 8, 64, keys, 48});
    attention(in.q, in.k, in.v);
    at::removeCallback(handle);
    EXPECT_EQ(seen, ours) << keys;
  }
}

TEST(Attention, IsSoftmaxAttentionPerHead) { expect_right(1, 2e-6); }

// Scores of thousands, of which float32 keeps a few decimals.
TEST(Attention, LargeScoresOverflowNothing) { expect_right(1000, 1e-4); }

using AttentionOnEachTarget = test::EachTarget;

TEST_P(AttentionOnEachTarget, IsRight) { expect_right(1, 2e-6); }

INSTANTIATE_TEST_SUITE_P(Attention, AttentionOnEachTarget, test::all_targets(), test::target_name);

TEST(Attention, AnyOrderInMemory) {
  const c10::InferenceMode inference;
  const AttentionInputs in = make_inputs({2, 4, 100, 100, 24});
  const at::Tensor turned = in.q.transpose(2, 3).contiguous().transpose(2, 3);
  EXPECT_TRUE(at::equal(attention(turned, in.k.contiguous(), in.v), attention(in.q, in.k, in.v)));
}

TEST(Attention, ThreadsAndTheBatchChangeNoBit) {
  const c10::InferenceMode inference;
  const AttentionInputs in = make_inputs({3, 2, 150, 150, 40});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = attention(in.q, in.k, in.v);
  at::set_num_threads(3);
  const at::Tensor three = attention(in.q, in.k, in.v);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, three));
  const auto last = [](const at::Tensor& t) { return t.narrow(0, 2, 1); };
  EXPECT_TRUE(at::equal(attention(last(in.q), last(in.k), last(in.v)), last(one)));
}

TEST(Attention, NanAndInfinitySpreadAsInThePlainPath) {
  const c10::InferenceMode inference;
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int which : {0, 1, 2}) {
      AttentionInputs in = make_inputs({2, 2, 70, 70, 16});
      const at::Tensor neighbour = attention(in.q, in.k, in.v)[0];
      at::Tensor t = (which == 0 ? in.q : which == 1 ? in.k : in.v);
      t[1][1][20][3] = value;
      const at::Tensor plain =
          at::scaled_dot_product_attention(in.q, in.k, in.v).transpose(1, 2).flatten(2);
      const at::Tensor mixed = attention(in.q, in.k, in.v);
      EXPECT_TRUE(at::equal(at::isfinite(mixed), at::isfinite(plain)));
      EXPECT_TRUE(at::equal(mixed[0], neighbour));
    }
  }
}

TEST(Attention, GradientsAreLibTorchs) {
  AttentionInputs in = make_inputs({1, 2, 80, 80, 16});
  in.q = in.q.contiguous().requires_grad_();
  EXPECT_TRUE(attention(in.q, in.k, in.v).requires_grad());
}

}  // namespace
}  // namespace leaf::ops
