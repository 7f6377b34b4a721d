// The convolution of inference: forms chosen, norm and residual in the same pass, odd numbers.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "conv_layer.h"
#include "leaf/core/error.h"
#include "ops/conv2d.h"

namespace leaf::ops {
namespace {

using test::channels_last;
using test::expect_close;
using test::Layer;
using test::normal;
using test::Shape;

/// norm and residual for a layer's x and result.
ConvContext full_context(const Layer& layer) {
  const std::int64_t channels = layer.shape.channels;
  ConvContext context;
  context.norm =
      GroupNormSilu{.groups = 4,
                    .weight = normal({channels}, 4),
                    .bias = normal({channels}, 5),
                    .eps = 1e-5,
                    .modulation = ScaleShift{.scale = normal({layer.shape.images, channels}, 6),
                                             .shift = normal({layer.shape.images, channels}, 7)}};
  context.residual = channels_last(normal(layer.expected(layer.x).sizes(), 8));
  return context;
}

/// In double, by LibTorch.
at::Tensor composed(const Layer& layer, ConvContext context) {
  for (at::Tensor* t : {&context.norm->weight, &context.norm->bias, &context.residual,
                        &context.norm->modulation->scale, &context.norm->modulation->shift}) {
    *t = t->to(at::kDouble);
  }
  ConvParameters parameters = layer.parameters;
  parameters.weight = parameters.weight.to(at::kDouble);
  parameters.bias = parameters.bias.to(at::kDouble);
  return conv2d(layer.x.to(at::kDouble), parameters, context);
}

// Transformed filters, taps, direct; both orders of the residual and of x in memory.
TEST(PackedConv2d, NormAndResidualInOnePassAreTheComposition) {
  const c10::InferenceMode inference;
  for (const Shape& shape : {Shape{2, 32, 24, 16, 18}, Shape{1, 64, 64, 4, 4},
                             Shape{2, 16, 16, 33, 33}, Shape{2, 64, 640, 17, 9},
                             Shape{1, 32, 16, 9, 9, 1, 1, 0}, Shape{2, 32, 48, 60, 55, 3, 2, 1}}) {
    const Layer layer(shape);
    ConvContext context = full_context(layer);
    const at::Tensor expected = composed(layer, context);
    const PackedConv2d packed(layer.parameters);
    EXPECT_EQ(packed.form(), "");
    expect_close(packed.forward(layer.x, context), expected, 1e-5, shape);
    EXPECT_NE(packed.form(), "");
    context.residual = context.residual.contiguous();
    expect_close(packed.forward(layer.x.contiguous(), context), expected, 1e-5, shape);
  }
}

// A panel of 32 filters, one that is half empty, one of a few.
TEST(PackedConv2d, ReluOfTheSumComesLast) {
  const c10::InferenceMode inference;
  for (const Shape& shape : {Shape{2, 32, 32, 20, 18}, Shape{1, 16, 48, 33, 33},
                             Shape{1, 32, 16, 9, 9, 1, 1, 0}, Shape{1, 32, 3, 16, 16}}) {
    const Layer layer(shape);
    ConvContext context = full_context(layer);
    context.relu = true;
    const at::Tensor expected = composed(layer, context);
    EXPECT_EQ(expected.min().item<double>(), 0);
    expect_close(PackedConv2d(layer.parameters).forward(layer.x, context), expected, 1e-5, shape);
  }
}

TEST(PackedConv2d, NormBeforeUpsamplingInEitherForm) {
  const c10::InferenceMode inference;
  for (const auto& [side, form] : {std::pair(34, "sub-pixel F(5x5,2x2)"), {2, "direct"}}) {
    const Layer layer({2, 32, 48, side, side});
    ConvContext context = full_context(layer);
    context.upsample = true;
    context.residual = channels_last(normal({2, 48, 2 * side, 2 * side}, 8));
    const PackedConv2d packed(layer.parameters);
    expect_close(packed.forward(layer.x, context), composed(layer, context), 1e-5, layer.shape);
    EXPECT_EQ(packed.form(), form);
  }
}

TEST(PackedConv2d, WrongArgumentsAreRefusedAsByLibTorch) {
  const c10::InferenceMode inference;
  const Layer layer({2, 48, 32, 12, 12});
  const PackedConv2d packed(layer.parameters);
  EXPECT_THROW(packed.forward(normal({2, 47, 12, 12}, 1)), c10::Error);
  ConvContext wrong_groups;
  wrong_groups.norm =
      GroupNormSilu{.groups = 32, .weight = at::ones({48}), .bias = at::zeros({48}), .eps = 1e-5};
  EXPECT_THROW(packed.forward(layer.x, wrong_groups), c10::Error);
  // A residual that LibTorch would spread over the batch.
  const at::Tensor residual = normal({1, 32, 12, 12}, 2);
  expect_close(packed.forward(layer.x, {.residual = residual}), layer.expected(layer.x) + residual,
               1e-5, layer.shape);
  const Layer no_padding({1, 16, 16, 2, 2, 3, 1, 0});
  EXPECT_THROW(PackedConv2d(no_padding.parameters).forward(no_padding.x), c10::Error);
}

TEST(PackedConv2d, RefusesToLoseAGradient) {
  const Layer layer({1, 16, 16, 8, 8});
  at::Tensor x = layer.x.clone();
  x.set_requires_grad(true);
  EXPECT_THROW(PackedConv2d(layer.parameters).forward(x), Error);
  const at::Tensor scale = at::zeros({1, 16}).set_requires_grad(true);
  const GroupNormSilu norm{.groups = 4,
                           .weight = at::ones({16}),
                           .bias = at::zeros({16}),
                           .eps = 1e-5,
                           .modulation = ScaleShift{scale, at::zeros({1, 16})}};
  EXPECT_THROW(PackedConv2d(layer.parameters).forward(layer.x, {.norm = norm}), Error);
  const at::NoGradGuard no_grad;
  EXPECT_NO_THROW(PackedConv2d(layer.parameters).forward(layer.x, {.norm = norm}));
}

TEST(PackedConv2d, AnImageDoesNotDependOnItsBatch) {
  for (const std::int64_t side : {2, 4, 8, 19, 64}) {
    const Layer layer({5, 32, 32, side, side});
    const at::Tensor together = PackedConv2d(layer.parameters).forward(layer.x);
    const at::Tensor alone = PackedConv2d(layer.parameters).forward(layer.x.narrow(0, 3, 1));
    EXPECT_TRUE(at::equal(together[3], alone[0])) << side;
  }
}

TEST(PackedConv2d, ServesSizesThatItWasNotPackedFor) {
  const Layer large({1, 32, 32, 96, 96});
  const Layer small({3, 32, 32, 2, 3});
  const PackedConv2d packed(large.parameters);
  packed.forward(large.x);
  EXPECT_EQ(packed.form(), "F(6x6,3x3)");
  expect_close(packed.forward(small.x), small.expected(small.x), 1e-5, small.shape);
  expect_close(packed.forward(large.x, {.upsample = true}),
               large.expected(large.x, /*upsample=*/true), 1e-5, large.shape);
}

TEST(PackedConv2d, IsRightForAnyShapeAndMemoryOrder) {
  std::mt19937 random(7);
  const auto up_to = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(1, most)(random);
  };
  for (int i = 0; i < 40; ++i) {
    const Layer layer({up_to(3), up_to(90), up_to(90), up_to(45), up_to(45)});
    // The middle of a larger map, in the order of channels first or last.
    at::Tensor x = at::constant_pad_nd(layer.x, {2, 1, 1, 2});
    x = (i % 2 == 0 ? channels_last(x) : x.contiguous())
            .slice(2, 1, 1 + layer.shape.height)
            .slice(3, 2, 2 + layer.shape.width);
    const bool upsample = i % 3 == 0;
    expect_close(PackedConv2d(layer.parameters).forward(x, {.upsample = upsample}),
                 layer.expected(layer.x, upsample), 1e-5, layer.shape);
    expect_close(conv2d(x, layer.parameters), layer.expected(layer.x), 1e-5, layer.shape);
  }
}

TEST(PackedConv2d, AMapOfAMillionPixels) {
  const Layer layer({1, 16, 16, 1031, 997});
  expect_close(PackedConv2d(layer.parameters).forward(layer.x), layer.expected(layer.x), 1e-5,
               layer.shape);
}

TEST(PackedConv2d, DenormalNumbersAreNumbers) {
  Layer layer({1, 32, 32, 20, 20});
  layer.x *= 1e-39;
  layer.parameters.bias *= 1e-39;
  expect_close(PackedConv2d(layer.parameters).forward(layer.x), layer.expected(layer.x), 1e-4,
               layer.shape);
}

TEST(PackedConv2d, TheFirstCallsMayComeTogether) {
  const Layer layer({1, 64, 64, 24, 24});
  const at::Tensor expected = PackedConv2d(layer.parameters).forward(layer.x);
  for (int round = 0; round < 5; ++round) {
    const PackedConv2d packed(layer.parameters);
    std::vector<at::Tensor> results(4);
    std::vector<std::thread> threads;
    for (at::Tensor& result : results) {
      threads.emplace_back([&] { result = packed.forward(layer.x); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const at::Tensor& result : results) {
      EXPECT_TRUE(at::equal(result, expected));
    }
  }
}

TEST(PackedConv2d, SubPixelFormAfterUpsampling) {
  const Layer layer({2, 32, 48, 34, 29});
  const PackedConv2d packed(layer.parameters);
  expect_close(packed.forward(layer.x, {.upsample = true}),
               layer.expected(layer.x, /*upsample=*/true), 5e-6, layer.shape);
  EXPECT_EQ(packed.form(), "sub-pixel F(5x5,2x2)");
}

TEST(PackedConv2d, ZerosBehindTheEndAlone) {
  for (const auto& [side, form] : {std::pair(9, "direct"), {60, "stride 2 by F(3x3,2x2)"}}) {
    const Layer layer({2, 24, 40, side, side + 3, 3, 2, 0});
    ConvParameters parameters = layer.parameters;
    parameters.pad_end = 1;
    const at::Tensor expected = layer.expected(at::constant_pad_nd(layer.x, {0, 1, 0, 1}));
    expect_close(conv2d(layer.x, parameters), expected, 2e-6, layer.shape);
    const PackedConv2d packed(parameters);
    expect_close(packed.forward(layer.x), expected, 5e-6, layer.shape);
    EXPECT_EQ(packed.form(), form);
  }
}

TEST(PackedConv2d, NanAndInfinityReachExactlyThePixelsOfThePlainPath) {
  const Layer layer({2, 16, 16, 20, 20});
  const PackedConv2d packed(layer.parameters);
  const at::Tensor neighbour = packed.forward(layer.x)[0];
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor x = layer.x.clone();
    x[1][3][10][10] = value;
    const at::Tensor plain = at::conv2d(x, layer.parameters.weight, layer.parameters.bias, 1, 1);
    const at::Tensor ours = packed.forward(x);
    const at::Tensor finite = at::isfinite(plain);
    EXPECT_TRUE(at::equal(at::isfinite(ours), finite));
    expect_close(ours.masked_select(finite), plain.masked_select(finite), 5e-6, layer.shape);
    EXPECT_TRUE(at::equal(ours[0], neighbour));
    EXPECT_TRUE(
        at::equal(at::isfinite(packed.forward(x, {.relu = true})), at::isfinite(at::relu(plain))));
  }
}

}  // namespace
}  // namespace leaf::ops
