// The GPU's GroupNorm: its arithmetic here on the CPU, its kernels where there is a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "ops/cuda/group_norm_math.h"
#include "ops/group_norm.h"
#include "support/golden.h"
#include "support/small_networks.h"
#include "support/test_device.h"

namespace leaf::ops {
namespace {

constexpr double kCudaEps = 1e-5;

TEST(GroupNormMath, OneGroupEqualsTheOperatorAndItsGradient) {
  const at::Tensor x = leaf::test::normal({1, 4, 5, 3}, 1).add(7.0).requires_grad_();
  const at::Tensor gain = leaf::test::normal({4}, 2);
  const at::Tensor offset = leaf::test::normal({4}, 3);
  const at::Tensor grad = leaf::test::normal({1, 4, 5, 3}, 4);
  const at::Tensor y = at::silu(at::group_norm(x, 1, gain, offset, kCudaEps));
  const at::Tensor dx = torch::autograd::grad({y}, {x}, {grad}).front();

  const auto value = [](const at::Tensor& t, std::int64_t i) {
    return t.detach().flatten()[i].item<float>();
  };
  const float shift = value(x, 0);
  cuda::Sums sums;
  for (std::int64_t i = 0; i < 60; ++i) {
    const float d = value(x, i) - shift;
    sums = sums + cuda::Sums{d, d * d};
  }
  const cuda::Moments m = cuda::moments(sums, 60.F, shift, static_cast<float>(kCudaEps));
  const auto affine_of = [&](std::int64_t i) {
    return cuda::affine(m, value(gain, i / 15), value(offset, i / 15));
  };
  const auto before_silu = [&](std::int64_t i) {
    const cuda::Affine a = affine_of(i);
    return value(x, i) * a.slope + a.intercept;
  };
  const auto du = [&](std::int64_t i) { return value(grad, i) * cuda::silu_slope(before_silu(i)); };
  cuda::Sums means;
  for (std::int64_t i = 0; i < 60; ++i) {
    const float g = value(gain, i / 15) * du(i) / 60.F;
    means = means + cuda::Sums{g, g * (value(x, i) - m.mean) * m.rstd};
  }
  for (std::int64_t i = 0; i < 60; ++i) {
    EXPECT_NEAR(cuda::silu(before_silu(i)), value(y, i), 1e-5) << i;
    const cuda::GradientMap map = cuda::gradient_map(m, value(gain, i / 15), means);
    EXPECT_NEAR(map.from_grad * du(i) + map.from_x * value(x, i) + map.constant, value(dx, i), 1e-5)
        << i;
  }
}

TEST(GroupNormMath, WhatIsNotFiniteIsKept) {
  const float infinity = std::numeric_limits<float>::infinity();
  const cuda::Moments m = cuda::moments(cuda::Sums{infinity, infinity}, 4.F, 0.F, 1e-5F);
  EXPECT_TRUE(std::isnan(m.rstd));
}

struct Case {
  std::int64_t images, channels, height, width, groups;
};

// Groups narrower than a vector, rows of one vector, one pixel, odd sizes, the widest rows, and
// enough pixels for several pieces.
const std::vector<Case> kCases = {{1, 128, 64, 64, 32},  {4, 1536, 8, 8, 32},
                                  {2, 8, 1, 1, 1},       {3, 48, 17, 5, 6},
                                  {1, 32, 256, 256, 32}, {2, 192, 32, 32, 32}};

/// Result and gradients of x, weight, bias, scale and shift, in float64 on the CPU.
std::vector<at::Tensor> results(const Case& c, c10::Device device, at::ScalarType type,
                                at::ScalarType rest, double mean) {
  const auto leaf_of = [&](const at::Tensor& t, at::ScalarType kind) {
    return t.to(device, kind).detach().requires_grad_();
  };
  const at::Tensor values =
      (leaf::test::normal({c.images, c.channels, c.height, c.width}, 1) + mean).to(type);
  const at::Tensor x =
      leaf_of(values.contiguous(at::MemoryFormat::ChannelsLast), rest == at::kDouble ? rest : type);
  std::vector<at::Tensor> leaves{x, leaf_of(leaf::test::normal({c.channels}, 2), rest),
                                 leaf_of(leaf::test::normal({c.channels}, 3), rest),
                                 leaf_of(leaf::test::normal({c.images, c.channels}, 4), rest),
                                 leaf_of(leaf::test::normal({c.images, c.channels}, 5), rest)};
  const at::Tensor y = group_norm_silu(x, c.groups, leaves[1], leaves[2], kCudaEps,
                                       ScaleShift{.scale = leaves[3], .shift = leaves[4]});
  const at::Tensor direction =
      leaf::test::normal(x.sizes(), 6).to(type).to(device, y.scalar_type());
  std::vector<at::Tensor> all = torch::autograd::grad({y}, leaves, {direction});
  all.push_back(y);
  for (at::Tensor& t : all) {
    t = t.detach().to(at::kCPU, at::kDouble);
  }
  return all;
}

class GroupNormOnTheGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!leaf::test::test_device().is_cuda()) {
      GTEST_SKIP() << "LEAF_TEST_DEVICE names no GPU";
    }
  }

  static void expect_equal(at::ScalarType type, double tolerance, double mean) {
    for (const Case& c : kCases) {
      const auto ours = results(c, leaf::test::test_device(), type, at::kFloat, mean);
      const auto expected = results(c, at::kCPU, type, at::kDouble, mean);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const double size = std::max(1e-3, expected[i].norm().item<double>());
        const double error = (ours[i] - expected[i]).norm().item<double>() / size;
        EXPECT_LE(error, tolerance) << c.channels << " channels, tensor " << i;
      }
    }
  }
};

TEST_F(GroupNormOnTheGpu, Float32EqualsTheComposedOperatorsInDouble) {
  expect_equal(at::kFloat, leaf::test::kFloat32Tolerance.one_operator, 0);
}

TEST_F(GroupNormOnTheGpu, LargeMeansCostNoDigits) {
  expect_equal(at::kFloat, 2e-4, 1e3);  // x itself holds no more
}

TEST_F(GroupNormOnTheGpu, HalfEqualsTheComposedOperatorsInDouble) {
  expect_equal(at::kHalf, leaf::test::kHalfTolerance.one_operator, 0);
}

TEST_F(GroupNormOnTheGpu, BFloat16EqualsTheComposedOperatorsInDouble) {
  expect_equal(at::kBFloat16, leaf::test::kBFloat16Tolerance.one_operator, 0);
}

TEST_F(GroupNormOnTheGpu, RepeatsToTheBit) {
  const auto once = results(kCases[0], leaf::test::test_device(), at::kBFloat16, at::kFloat, 0);
  const auto again = results(kCases[0], leaf::test::test_device(), at::kBFloat16, at::kFloat, 0);
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_TRUE(at::equal(once[i], again[i])) << i;
  }
}

}  // namespace
}  // namespace leaf::ops
