// The fast path against LibTorch's operators in double, which the composed path consists of.
#include "ops/group_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <limits>

#include "conv_layer.h"
#include "each_target.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "support/golden.h"

namespace leaf::ops {
namespace {

using test::channels_last;
using test::normal;

constexpr double kEps = 1e-5;

struct NormShape {
  std::int64_t images;
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
  std::int64_t groups;
};

// Channels beside the vector widths, one pixel, one channel a group, several blocks of pixels.
const std::vector<NormShape> kNormShapes = {
    {1, 32, 5, 7, 32}, {2, 33, 3, 3, 11},   {3, 6, 1, 1, 2},      {2, 20, 9, 4, 4},
    {1, 1, 8, 8, 1},   {2, 64, 40, 31, 32}, {1, 128, 16, 17, 32}, {4, 7, 1, 5, 1}};

/// Everything that the operators take, float32; in_double() is the same on the composed path.
struct NormInputs {
  explicit NormInputs(const NormShape& shape)
      : groups(shape.groups),
        x(channels_last(normal({shape.images, shape.channels, shape.height, shape.width}, 1))),
        weight(normal({shape.channels}, 2)),
        bias(normal({shape.channels}, 3)),
        scale(normal({shape.images, shape.channels}, 4)),
        shift(normal({shape.images, shape.channels}, 5)) {}

  NormInputs in_double() const {
    NormInputs other = *this;
    for (at::Tensor* t : other.tensors()) {
      *t = t->detach().to(at::kDouble).contiguous();
    }
    return other;
  }

  std::vector<at::Tensor*> tensors() { return {&x, &weight, &bias, &scale, &shift}; }

  std::int64_t groups;
  at::Tensor x;
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor scale;
  at::Tensor shift;
};

using Operator = std::function<at::Tensor(const NormInputs&)>;

at::Tensor plain(const NormInputs& in) {
  return group_norm(in.x, in.groups, in.weight, in.bias, kEps);
}

at::Tensor with_silu(const NormInputs& in) {
  return group_norm_silu(in.x, in.groups, in.weight, in.bias, kEps);
}

at::Tensor modulated(const NormInputs& in) {
  return group_norm_silu(in.x, in.groups, in.weight, in.bias, kEps,
                         ScaleShift{.scale = in.scale, .shift = in.shift});
}

const std::vector<Operator> kOperators = {plain, with_silu, modulated};

/// The gradients of sum(y * direction), one per tensor of `in`; undefined where y does not depend
/// on it.
std::vector<at::Tensor> gradients(const Operator& run, NormInputs in, const at::Tensor& direction) {
  std::vector<at::Tensor> leaves;
  for (at::Tensor* t : in.tensors()) {
    *t = t->detach().requires_grad_();
    leaves.push_back(*t);
  }
  const at::Tensor y = run(in);
  return torch::autograd::grad({y}, leaves, {direction.to(y.scalar_type())},
                               /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

/// Compared with the size of the expected gradient, but no less than that of `direction`: some
/// vanish.
void expect_close_gradients(const std::vector<at::Tensor>& ours,
                            const std::vector<at::Tensor>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(ours[i].defined(), expected[i].defined()) << i;
    if (expected[i].defined()) {
      const double size = std::max(1.0, expected[i].abs().max().item<double>());
      EXPECT_LE((ours[i] - expected[i]).abs().max().item<double>(), 5e-6 * size) << "input " << i;
    }
  }
}

}  // namespace

using GroupNormOnEachTarget = test::EachTarget;

TEST_P(GroupNormOnEachTarget, EqualsTheComposedOperatorsInDouble) {
  for (const NormShape& shape : kNormShapes) {
    const NormInputs in(shape);
    for (const Operator& run : kOperators) {
      const at::Tensor y = run(in);
      EXPECT_EQ(y.strides(), in.x.strides());
      EXPECT_LE(leaf::test::relative_error(y, run(in.in_double())), 1e-6)
          << shape.channels << " channels";
    }
  }
}

TEST_P(GroupNormOnEachTarget, GradientsEqualTheComposedOperatorsInDouble) {
  for (const NormShape& shape : kNormShapes) {
    const NormInputs in(shape);
    // Not channels-last: what comes back need not be in the order of what went out.
    const at::Tensor direction = normal(in.x.sizes(), 6);
    for (const Operator& run : kOperators) {
      expect_close_gradients(gradients(run, in, direction),
                             gradients(run, in.in_double(), direction));
    }
  }
}

TEST_P(GroupNormOnEachTarget, SiluHoldsFromEndToEnd) {
  NormInputs in({.images = 1, .channels = 16, .height = 40, .width = 40, .groups = 1});
  in.weight = at::full_like(in.weight, 40);  // from about -160 to 160
  const at::Tensor ours = with_silu(in).to(at::kDouble);
  const at::Tensor expected = at::silu(plain(in).to(at::kDouble));
  EXPECT_TRUE(at::allclose(ours, expected, 1e-6, 1e-34));
  const at::Tensor direction = normal(in.x.sizes(), 6);
  expect_close_gradients(gradients(with_silu, in, direction),
                         gradients(with_silu, in.in_double(), direction));
}

INSTANTIATE_TEST_SUITE_P(GroupNorm, GroupNormOnEachTarget, test::all_targets(), test::target_name);

TEST(GroupNorm, OneModulationServesAllImages) {
  NormInputs in({.images = 2, .channels = 8, .height = 3, .width = 3, .groups = 2});
  in.scale = in.scale.narrow(0, 0, 1);
  in.shift = in.shift.narrow(0, 0, 1);
  EXPECT_LE(leaf::test::relative_error(modulated(in), modulated(in.in_double())), 1e-6);
}

TEST(GroupNorm, LargeMeansCostNoDigits) {
  for (const double mean : {1e3, 1e5}) {
    NormInputs in({.images = 2, .channels = 64, .height = 24, .width = 24, .groups = 8});
    in.x = in.x + mean;
    const at::Tensor expected = with_silu(in.in_double());
    EXPECT_LE(leaf::test::relative_error(with_silu(in), expected), 1e-6) << mean;
    const at::Tensor theirs = at::silu(at::group_norm(in.x, in.groups, in.weight, in.bias, kEps));
    EXPECT_GE(leaf::test::relative_error(theirs, expected), 1e-5)
        << "the kernel is no longer needed";
    const at::Tensor direction = normal(in.x.sizes(), 6);
    expect_close_gradients(gradients(with_silu, in, direction),
                           gradients(with_silu, in.in_double(), direction));
  }
}

TEST(GroupNorm, ConstantMapsGiveTheBias) {
  NormInputs in({.images = 1, .channels = 8, .height = 16, .width = 16, .groups = 2});
  in.x = channels_last(at::full_like(in.x, 1234.567));
  const at::Tensor expected = in.bias.view({1, 8, 1, 1}).expand_as(in.x);
  EXPECT_TRUE(at::allclose(plain(in), expected, 1e-5, 1e-5));
}

TEST(GroupNorm, WhatIsNotFiniteSpoilsItsGroupAlone) {
  using Limits = std::numeric_limits<float>;
  for (const float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    NormInputs in({.images = 2, .channels = 8, .height = 5, .width = 5, .groups = 4});
    in.x[1][3][2][2] = bad;
    for (const Operator& run : kOperators) {
      const at::Tensor spoilt = run(in).isnan();
      EXPECT_TRUE(at::equal(spoilt, run(in.in_double()).isnan())) << bad;
      EXPECT_TRUE(spoilt[1].narrow(0, 2, 2).all().item<bool>());
      EXPECT_EQ(spoilt.sum().item<std::int64_t>(), 2 * 25);
    }
  }
}

TEST(GroupNorm, TheNumberOfThreadsChangesNothing) {
  const NormInputs in({.images = 1, .channels = 48, .height = 64, .width = 64, .groups = 16});
  const at::Tensor direction = normal(in.x.sizes(), 6);
  const int before = at::get_num_threads();
  const auto run_with = [&](int threads) {
    at::set_num_threads(threads);
    std::vector<at::Tensor> results = gradients(modulated, in, direction);
    results.push_back(modulated(in));
    return results;
  };
  const std::vector<at::Tensor> one = run_with(1);
  const std::vector<at::Tensor> two = run_with(2);
  at::set_num_threads(before);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(at::equal(one[i], two[i])) << i;
  }
}

TEST(GroupNorm, KeepsNoGraphWhereNoneIsWanted) {
  NormInputs in({.images = 1, .channels = 8, .height = 3, .width = 3, .groups = 2});
  EXPECT_FALSE(with_silu(in).requires_grad());
  in.weight.requires_grad_();
  EXPECT_TRUE(with_silu(in).requires_grad());
  {
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(with_silu(in).requires_grad());
  }
  const c10::InferenceMode inference;
  EXPECT_TRUE(with_silu(in).is_inference());
}

TEST(GroupNorm, RefusesSecondDerivatives) {
  NormInputs in({.images = 1, .channels = 8, .height = 3, .width = 3, .groups = 2});
  in.x.requires_grad_();
  EXPECT_THROW(torch::autograd::grad({plain(in).sum()}, {in.x}, {}, /*retain_graph=*/true,
                                     /*create_graph=*/true),
               Error);
}

TEST(GroupNorm, OtherLayoutsAndAutocastTakeTheComposedPath) {
  const NormInputs in({.images = 2, .channels = 16, .height = 6, .width = 5, .groups = 4});
  NormInputs contiguous = in;
  contiguous.x = in.x.contiguous();
  EXPECT_TRUE(at::equal(with_silu(contiguous),
                        at::silu(at::group_norm(contiguous.x, 4, in.weight, in.bias, kEps))));
  NormInputs narrow = in;
  narrow.x = in.x.narrow(2, 1, 4);  // neither order is dense
  EXPECT_LE(leaf::test::relative_error(with_silu(narrow), with_silu(narrow.in_double())), 1e-5);

  const AutocastGuard autocast(c10::kCPU, Precision::kBFloat16);
  NormInputs half = in;
  half.x = in.x.to(at::kBFloat16);
  EXPECT_TRUE(at::equal(modulated(half),
                        at::silu(at::addcmul(in.shift.view({2, 16, 1, 1}),
                                             at::group_norm(half.x, 4, in.weight, in.bias, kEps),
                                             1 + in.scale.view({2, 16, 1, 1})))));
}

}  // namespace leaf::ops
