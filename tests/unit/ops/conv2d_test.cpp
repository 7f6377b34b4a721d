// Our convolutions against LibTorch's in double, over shapes with every kind of remainder.
#include "leaf/ops/conv2d.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "leaf/core/error.h"
#include "ops/conv_cpu.h"
#include "support/golden.h"

namespace leaf::ops {
namespace {

using cpu::ConvForm;
using cpu::FilterLayout;

at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

struct Shape {
  std::int64_t images, channels, out_channels, height, width;
  std::int64_t kernel = 3, stride = 1, padding = 1;
};

// One pixel, maps smaller than a tile, edges of every remainder, channels beside the vector widths,
// filters heavier than the map and the other way round.
const std::vector<Shape> kShapes = {{1, 16, 16, 1, 1},   {2, 3, 5, 4, 4},    {1, 33, 17, 7, 5},
                                    {3, 16, 40, 12, 13}, {1, 64, 32, 37, 6}, {2, 20, 65, 1, 9},
                                    {1, 130, 31, 8, 8},  {5, 32, 16, 25, 24}};
const std::vector<Shape> kDirectShapes = {{1, 16, 24, 9, 7, 3, 2, 0},
                                          {2, 33, 17, 5, 6, 1, 1, 0},
                                          {1, 5, 40, 8, 8, 5, 1, 2},
                                          {1, 300, 16, 4, 4, 3, 1, 1},
                                          {3, 20, 33, 7, 7, 3, 2, 1}};

struct Layer {
  explicit Layer(const Shape& s)
      : shape(s),
        x(channels_last(normal({s.images, s.channels, s.height, s.width}, 1))),
        parameters{.weight = normal({s.out_channels, s.channels, s.kernel, s.kernel}, 2) /
                             std::sqrt(static_cast<double>(s.channels * s.kernel * s.kernel)),
                   .bias = normal({s.out_channels}, 3),
                   .stride = s.stride,
                   .padding = s.padding} {}

  cpu::PackedFilters pack(ConvForm form, FilterLayout layout) const {
    return cpu::pack_filters(parameters.weight, form, layout,
                             {.stride = shape.stride, .padding = shape.padding});
  }

  /// In double.
  at::Tensor expected(const at::Tensor& input, bool upsample = false) const {
    const at::Tensor wide = input.to(at::kDouble);
    return at::conv2d(
        upsample ? at::upsample_nearest2d(wide, {2 * wide.size(2), 2 * wide.size(3)}) : wide,
        parameters.weight.to(at::kDouble), parameters.bias.to(at::kDouble), shape.stride,
        shape.padding);
  }

  Shape shape;
  at::Tensor x;
  ConvParameters parameters;
};

void expect_close(const at::Tensor& ours, const at::Tensor& expected, double tolerance,
                  const Shape& shape) {
  ASSERT_EQ(ours.sizes(), expected.sizes());
  EXPECT_LE(test::relative_error(ours, expected), tolerance)
      << shape.images << "x" << shape.channels << "->" << shape.out_channels << " " << shape.height
      << "x" << shape.width << " kernel " << shape.kernel;
}

struct Form {
  ConvForm form;
  FilterLayout layout;
  double tolerance;
};
const std::vector<Form> kForms = {{ConvForm::kDirect, FilterLayout::kTaps, 2e-6},
                                  {ConvForm::kF4x4, FilterLayout::kTaps, 5e-6},
                                  {ConvForm::kF4x4, FilterLayout::kTransformed, 5e-6},
                                  {ConvForm::kF6x6, FilterLayout::kTaps, 1e-5},
                                  {ConvForm::kF6x6, FilterLayout::kTransformed, 1e-5},
                                  {ConvForm::kUpsample, FilterLayout::kTaps, 5e-6},
                                  {ConvForm::kUpsample, FilterLayout::kTransformed, 5e-6}};

void expect_all_forms_right() {
  for (const Shape& shape : kShapes) {
    const Layer layer(shape);
    for (const Form& f : kForms) {
      const cpu::ConvResult result =
          cpu::packed_conv(layer.x, layer.pack(f.form, f.layout), layer.parameters.bias);
      EXPECT_TRUE(result.finite);
      expect_close(result.y, layer.expected(layer.x, f.form == ConvForm::kUpsample), f.tolerance,
                   shape);
    }
  }
  for (const Shape& shape : kDirectShapes) {
    const Layer layer(shape);
    const cpu::PackedFilters filters = layer.pack(ConvForm::kDirect, FilterLayout::kTaps);
    expect_close(cpu::packed_conv(layer.x, filters, layer.parameters.bias).y,
                 layer.expected(layer.x), 2e-6, shape);
  }
}

/// Every remainder of channels and of tiles.
void expect_weight_gradients_right() {
  for (const Shape& shape : kShapes) {
    const Layer layer(shape);
    const at::Tensor y_gradient = channels_last(normal(layer.expected(layer.x).sizes(), 4));
    const auto exact = at::convolution_backward(
        y_gradient.to(at::kDouble), layer.x.to(at::kDouble),
        layer.parameters.weight.to(at::kDouble), std::nullopt, {1, 1}, {1, 1}, {1, 1},
        /*transposed=*/false, {0, 0}, /*groups=*/1, {false, true, false});
    expect_close(cpu::weight_gradient(layer.x, y_gradient), std::get<1>(exact), 2e-5, shape);
  }
}

TEST(WeightGradient, IsRightForEveryShape) { expect_weight_gradients_right(); }

TEST(PackedFilters, EveryFormIsRightForEveryShape) { expect_all_forms_right(); }

class EachTarget : public testing::TestWithParam<std::int64_t> {
 protected:
  void TearDown() override {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

TEST_P(EachTarget, IsRight) {
  if ((hwy::SupportedTargets() & GetParam()) == 0) {
    GTEST_SKIP() << "this processor has no " << hwy::TargetName(GetParam());
  }
  hwy::SetSupportedTargetsForTest(GetParam());
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  expect_all_forms_right();
  expect_weight_gradients_right();
}

INSTANTIATE_TEST_SUITE_P(PackedFilters, EachTarget, testing::Values(HWY_EMU128, HWY_AVX2, HWY_AVX3),
                         [](const auto& target) {
                           return std::string(hwy::TargetName(target.param));
                         });

TEST(PackedFilters, UnpackIsTheInverse) {
  const Layer layer({1, 19, 37, 4, 4});
  for (const Form& f : kForms) {
    const at::Tensor weight = cpu::unpack_filters(layer.pack(f.form, f.layout));
    EXPECT_LE(test::relative_error(weight, layer.parameters.weight), 1e-6);
  }
}

TEST(PackedFilters, WeightsMayLieInAnyOrder) {
  Layer layer({1, 20, 24, 9, 9});
  const at::Tensor expected = layer.expected(layer.x);
  layer.parameters.weight = channels_last(layer.parameters.weight);
  const auto filters = layer.pack(ConvForm::kF4x4, FilterLayout::kTaps);
  expect_close(cpu::packed_conv(layer.x, filters, layer.parameters.bias).y, expected, 5e-6,
               layer.shape);
}

TEST(PackedConv, NeitherThreadsNorBlocksChangeABit) {
  const Layer layer({2, 130, 70, 23, 29});
  for (const Form& f : kForms) {
    const cpu::PackedFilters filters = layer.pack(f.form, f.layout);
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const at::Tensor one = cpu::packed_conv(layer.x, filters, layer.parameters.bias).y;
    at::set_num_threads(3);
    const at::Tensor three = cpu::packed_conv(layer.x, filters, layer.parameters.bias).y;
    const at::Tensor alone =
        cpu::packed_conv(channels_last(layer.x[1].unsqueeze(0)), filters, layer.parameters.bias).y;
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(one, three));
    EXPECT_TRUE(at::equal(one[1], alone[0]));
  }
}

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
  for (const Shape& shape :
       {Shape{2, 32, 24, 16, 18}, Shape{1, 64, 64, 4, 4}, Shape{2, 16, 16, 33, 33},
        Shape{2, 64, 640, 17, 9}, Shape{1, 32, 16, 9, 9, 1, 1, 0}}) {
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
  const Layer layer({2, 24, 40, 10, 13, 3, 2, 0});
  ConvParameters parameters = layer.parameters;
  parameters.pad_end = 1;
  const at::Tensor expected = layer.expected(at::constant_pad_nd(layer.x, {0, 1, 0, 1}));
  expect_close(conv2d(layer.x, parameters), expected, 2e-6, layer.shape);
  expect_close(PackedConv2d(parameters).forward(layer.x), expected, 2e-6, layer.shape);
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
  }
}

// ---- training ----

struct Gradients {
  at::Tensor y;
  std::vector<at::Tensor> values;  // of x, weight, bias
};

Gradients gradients(at::Tensor x, ConvParameters parameters, const at::Tensor& y_grad) {
  for (at::Tensor* t : {&x, &parameters.weight, &parameters.bias}) {
    *t = t->detach().clone();
    t->set_requires_grad(true);
  }
  const at::Tensor y = conv2d(x, parameters);
  return {.y = y,
          .values = torch::autograd::grad({y}, {x, parameters.weight, parameters.bias}, {y_grad})};
}

TEST(Conv2d, GradientsAreLibTorchsInDouble) {
  for (const Shape& shape : {Shape{4, 32, 48, 16, 16}, Shape{2, 64, 64, 33, 31}}) {
    const Layer layer(shape);
    const at::Tensor y_grad =
        normal({shape.images, shape.out_channels, shape.height, shape.width}, 9);
    const Gradients ours = gradients(layer.x, layer.parameters, y_grad);
    const Gradients exact = gradients(layer.x.to(at::kDouble),
                                      {.weight = layer.parameters.weight.to(at::kDouble),
                                       .bias = layer.parameters.bias.to(at::kDouble),
                                       .stride = 1,
                                       .padding = 1},
                                      y_grad.to(at::kDouble));
    EXPECT_EQ(ours.y.grad_fn()->name().find("Winograd") != std::string::npos, true);
    expect_close(ours.y, exact.y, 1e-5, shape);
    for (std::size_t i = 0; i < exact.values.size(); ++i) {
      expect_close(ours.values[i], exact.values[i], 1e-5, shape);
    }
  }
}

TEST(Conv2d, WorksWithoutABiasWhetherOrNotAnythingIsDifferentiated) {
  const Layer layer({4, 32, 32, 16, 16});
  const ConvParameters parameters{.weight = layer.parameters.weight, .padding = 1};
  const at::Tensor expected = at::conv2d(layer.x, parameters.weight, {}, 1, 1);
  expect_close(conv2d(layer.x, parameters), expected, 1e-5, layer.shape);
  {
    const c10::InferenceMode inference;
    expect_close(conv2d(layer.x, parameters), expected, 1e-5, layer.shape);
  }
  at::Tensor x = layer.x.clone();
  x.set_requires_grad(true);
  const at::Tensor dx = torch::autograd::grad({conv2d(x, parameters).sum()}, {x})[0];
  EXPECT_TRUE(at::isfinite(dx).all().item<bool>());
}

TEST(Conv2d, ASecondDerivativeIsRefusedNotWrong) {
  const Layer layer({4, 32, 32, 16, 16});
  at::Tensor x = layer.x.clone();
  x.set_requires_grad(true);
  const at::Tensor y = conv2d(x, layer.parameters);
  EXPECT_THROW(
      torch::autograd::grad({y.sum()}, {x}, {}, /*retain_graph=*/true, /*create_graph=*/true),
      Error);
}

}  // namespace
}  // namespace leaf::ops
