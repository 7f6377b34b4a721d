// Every form of a convolution by itself, against LibTorch's in double, over shapes with every kind
// of remainder.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "conv_layer.h"
#include "each_target.h"
#include "ops/cpu/conv.h"

namespace leaf::ops {
namespace {

using cpu::ConvForm;
using cpu::FilterLayout;
using test::channels_last;
using test::expect_close;
using test::Layer;
using test::normal;
using test::Shape;

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
                                  {ConvForm::kStride2, FilterLayout::kTaps, 5e-6},
                                  {ConvForm::kStride2, FilterLayout::kTransformed, 5e-6},
                                  {ConvForm::kUpsample, FilterLayout::kTaps, 5e-6},
                                  {ConvForm::kUpsample, FilterLayout::kTransformed, 5e-6}};

/// The shape with the stride that the form is for.
Shape suited(Shape shape, ConvForm form) {
  shape.stride = form == ConvForm::kStride2 ? 2 : 1;
  return shape;
}

void expect_all_forms_right() {
  for (const Shape& shape : kShapes) {
    for (const Form& f : kForms) {
      const Layer layer(suited(shape, f.form));
      const cpu::ConvResult result =
          cpu::packed_conv(layer.x, layer.pack(f.form, f.layout), {.bias = layer.parameters.bias});
      EXPECT_TRUE(result.finite);
      expect_close(result.y, layer.expected(layer.x, f.form == ConvForm::kUpsample), f.tolerance,
                   shape);
    }
  }
  for (const Shape& shape : kDirectShapes) {
    const Layer layer(shape);
    const cpu::PackedFilters filters = layer.pack(ConvForm::kDirect, FilterLayout::kTaps);
    expect_close(cpu::packed_conv(layer.x, filters, {.bias = layer.parameters.bias}).y,
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

using EachTarget = test::EachTarget;

TEST_P(EachTarget, IsRight) {
  expect_all_forms_right();
  expect_weight_gradients_right();
}

INSTANTIATE_TEST_SUITE_P(PackedFilters, EachTarget, test::all_targets(), test::target_name);

TEST(PackedFilters, UnpackIsTheInverse) {
  for (const Form& f : kForms) {
    const Layer layer(suited({1, 19, 37, 4, 4}, f.form));
    const at::Tensor weight = cpu::unpack_filters(layer.pack(f.form, f.layout));
    EXPECT_LE(leaf::test::relative_error(weight, layer.parameters.weight), 1e-6);
  }
}

TEST(PackedFilters, WeightsMayLieInAnyOrder) {
  Layer layer({1, 20, 24, 9, 9});
  const at::Tensor expected = layer.expected(layer.x);
  layer.parameters.weight = channels_last(layer.parameters.weight);
  const auto filters = layer.pack(ConvForm::kF4x4, FilterLayout::kTaps);
  expect_close(cpu::packed_conv(layer.x, filters, {.bias = layer.parameters.bias}).y, expected,
               5e-6, layer.shape);
}

/// The same bits by one thread, by three, and of an image alone.
void expect_same_bits(const Shape& shape) {
  for (const Form& f : kForms) {
    const Layer layer(suited(shape, f.form));
    const cpu::PackedFilters filters = layer.pack(f.form, f.layout);
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const at::Tensor one = cpu::packed_conv(layer.x, filters, {.bias = layer.parameters.bias}).y;
    at::set_num_threads(3);
    const at::Tensor three = cpu::packed_conv(layer.x, filters, {.bias = layer.parameters.bias}).y;
    const at::Tensor alone = cpu::packed_conv(channels_last(layer.x[1].unsqueeze(0)), filters,
                                              {.bias = layer.parameters.bias})
                                 .y;
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(one, three));
    EXPECT_TRUE(at::equal(one[1], alone[0]));
  }
}

TEST(PackedConv, NeitherThreadsNorBlocksChangeABit) {
  expect_same_bits({2, 130, 70, 23, 29});
  // One thread takes panels here, three take tiles: there are too few panels for them.
  expect_same_bits({2, 130, 32, 12, 12});
}

}  // namespace
}  // namespace leaf::ops
