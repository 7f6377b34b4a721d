#include "nn/layers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/conv2d.h"
#include "support/small_networks.h"

namespace leaf::nn {
namespace {

using test::normal;
using test::Shape;

constexpr double kTolerance = 1e-5;

}  // namespace

TEST(Tokens, AreRowMajor) {
  const at::Tensor x = normal({2, 3, 4, 5});
  const at::Tensor tokens = to_tokens(x);
  ASSERT_EQ(tokens.sizes().vec(), (Shape{2, 20, 3}));
  for (const auto& [row, column] : {std::pair{0, 0}, {1, 2}, {3, 4}}) {
    EXPECT_TRUE(at::equal(tokens[1][row * 5 + column], x[1].select(1, row).select(1, column)));
  }
}

TEST(Tokens, RoundTrip) {
  const at::Tensor x = normal({2, 3, 4, 5});
  EXPECT_TRUE(at::equal(from_tokens(to_tokens(x), 4, 5), x));
}

TEST(Tokens, AreAViewOfChannelsLast) {
  const at::Tensor x = normal({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(to_tokens(x).const_data_ptr(), x.const_data_ptr());
  const at::Tensor back = from_tokens(to_tokens(x), 4, 5);
  EXPECT_EQ(back.const_data_ptr(), x.const_data_ptr());
  EXPECT_TRUE(back.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(UpsampleNearest, RepeatsEveryPixel) {
  const at::Tensor x = at::arange(6, at::kFloat).view({1, 1, 2, 3});
  const at::Tensor y = ops::upsample_nearest_2x(x);
  EXPECT_TRUE(at::equal(y, x.repeat_interleave(2, 2).repeat_interleave(2, 3)));
}

TEST(TokenConv1d, IsAOneDimensionalConvolution) {
  const auto layer = std::make_shared<TokenConv1d>(6, 4);
  initialise(*layer, 1);
  const at::Tensor tokens = normal({2, 5, 6});
  const at::Tensor expected =
      at::conv1d(tokens.transpose(1, 2), layer->weight, layer->bias).transpose(1, 2);
  EXPECT_LT(test::largest_difference(layer->forward(tokens), expected), kTolerance);
}

TEST(Conv2d, HasTheOptionsItWasGiven) {
  const at::Tensor x = normal({1, 3, 8, 6});
  const auto strided =
      std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 3, .out_channels = 5, .stride = 2});
  EXPECT_EQ(strided->forward(x).sizes().vec(), (Shape{1, 5, 4, 3}));
  const auto one_by_one = std::make_shared<Conv2d>(pointwise(3, 5, /*bias=*/false));
  EXPECT_EQ(one_by_one->forward(x).sizes().vec(), (Shape{1, 5, 8, 6}));
  EXPECT_FALSE(one_by_one->bias.defined());
  EXPECT_EQ(one_by_one->named_parameters().size(), 1U);
}

TEST(Conv2d, PackingTakesTheWeightAndChangesTheResultByRoundingAlone) {
  const at::NoGradGuard no_grad;
  const auto conv = std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 32, .out_channels = 24});
  initialise(*conv, 1);
  const at::Tensor x = normal({2, 32, 20, 20});
  const at::Tensor plain = at::conv2d(x, conv->weight, conv->bias, 1, 1);
  pack_convolutions(*conv);
  EXPECT_EQ(conv->weight.numel(), 0);
  EXPECT_TRUE(at::allclose(conv->forward(x), plain, 1e-4, 1e-5));
  EXPECT_EQ(conv->packed()->form(), "F(4x4,3x3)");
  pack_convolutions(*conv);  // a second time changes nothing
  EXPECT_TRUE(at::allclose(conv->forward(x), plain, 1e-4, 1e-5));
  EXPECT_TRUE(is_packed(*conv));
}

TEST(TokenConv1d, PackingTakesTheWeightAndChangesTheResultByRoundingAlone) {
  const at::NoGradGuard no_grad;
  const auto layer = std::make_shared<TokenConv1d>(40, 72);
  initialise(*layer, 1);
  const at::Tensor x = normal({2, 50, 40});
  const at::Tensor plain = layer->forward(x);
  pack_convolutions(*layer);
  EXPECT_TRUE(is_packed(*layer));
  EXPECT_EQ(layer->weight.numel(), 0);
  EXPECT_TRUE(at::allclose(layer->forward(x), plain, 1e-4, 1e-5));
  EXPECT_EQ(layer->forward(x).sizes(), plain.sizes());
}

TEST(LayerNorm, NormalisesTheLastDimension) {
  const auto layer = std::make_shared<LayerNorm>(16, 1e-6);
  initialise(*layer, 1);
  const at::Tensor y = layer->forward(normal({3, 16}) * 5 + 2);
  EXPECT_LT(y.mean(-1).abs().max().item<double>(), kTolerance);
  EXPECT_LT((y.square().mean(-1) - 1).abs().max().item<double>(), 1e-4);
}

}  // namespace leaf::nn
