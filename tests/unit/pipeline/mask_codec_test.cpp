#include "pipeline/mask_codec.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/golden.h"

namespace leaf {
namespace {

using data::ClassCoding;

data::MaskClasses classes(std::size_t count, ClassCoding coding = ClassCoding::kColours) {
  data::MaskClasses result;
  result.list.clear();
  for (std::size_t i = 0; i < count; ++i) {
    result.list.push_back({"c" + std::to_string(i), {static_cast<data::ClassValue>(i)}});
  }
  result.coding = coding;
  return result;
}

/// float [2,1,16,16] that holds every label.
at::Tensor label_maps(std::int64_t count) {
  return at::arange(2 * 16 * 16).remainder(count).to(at::kFloat).view({2, 1, 16, 16});
}

double squared_distance(const std::array<bool, 3>& a, const std::array<bool, 3>& b) {
  double sum = 0;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    sum += a[channel] != b[channel] ? 1 : 0;
  }
  return sum;
}

TEST(MaskCodec, TwoClassesAreBlackAndWhiteToTheBit) {
  const at::Tensor masks = label_maps(2);
  const at::Tensor decoded = at::rand({2, 3, 16, 16});
  for (const ClassCoding coding : {ClassCoding::kColours, ClassCoding::kChannels}) {
    const MaskCodec codec(classes(2, coding));
    EXPECT_TRUE(codec.to_image(masks).equal(masks.expand({-1, 3, -1, -1})));
    const at::Tensor probability = codec.to_probability(decoded);
    EXPECT_TRUE(probability.equal(decoded.mean({1}, true)));
    EXPECT_TRUE(codec.target(probability).equal(probability.select(1, 0)));
    EXPECT_TRUE(
        codec.to_labels(probability, 0.3).equal((probability.select(1, 0) > 0.3).to(at::kByte)));
  }
}

TEST(MaskCodec, LabelsComeBack) {
  for (std::int64_t count = 2; count <= 8; ++count) {
    const at::Tensor masks = label_maps(count);
    const MaskCodec codec(classes(static_cast<std::size_t>(count)));
    const at::Tensor image = codec.to_image(masks);
    ASSERT_EQ(image.sizes().vec(), (std::vector<std::int64_t>{2, 3, 16, 16}));
    const at::Tensor noisy = (image + 0.2 * at::rand_like(image) - 0.1).clamp(0, 1);
    for (const at::Tensor& decoded : {image, noisy}) {
      const at::Tensor probability = codec.to_probability(decoded);
      ASSERT_EQ(probability.sizes().vec(), (std::vector<std::int64_t>{2, count - 1, 16, 16}));
      EXPECT_TRUE(codec.to_labels(probability, 0.5).equal(masks.select(1, 0).to(at::kByte)))
          << count;
    }
  }
}

TEST(MaskCodec, NestedLabelsComeBack) {
  for (std::int64_t count = 2; count <= 4; ++count) {
    const at::Tensor masks = label_maps(count);
    const MaskCodec codec(classes(static_cast<std::size_t>(count), ClassCoding::kChannels));
    const at::Tensor probability = codec.to_probability(codec.to_image(masks));
    EXPECT_TRUE(codec.to_labels(probability, 0.5).equal(masks.select(1, 0).to(at::kByte)));
    EXPECT_TRUE(codec.target(probability).gt(0.5).equal(masks.select(1, 0).ne(0)));
  }
}

TEST(MaskCodec, AnInnerClassIsNeverMoreProbableThanTheOneItLiesIn) {
  const MaskCodec codec(classes(3, ClassCoding::kChannels));
  const at::Tensor decoded = at::tensor({0.2F, 0.9F, 0.0F}).view({1, 3, 1, 1});
  const at::Tensor probability = codec.to_probability(decoded);
  EXPECT_NEAR(probability[0][1].item<double>(), 0.2, 1e-6);
  EXPECT_EQ(codec.to_labels(probability, 0.5).item<int>(), 0);
  EXPECT_EQ(codec.to_labels(probability, 0.1).item<int>(), 2);
}

TEST(MaskCodec, ColoursAreFarApart) {
  for (const std::size_t count : {3U, 4U, 5U, 8U}) {
    const MaskCodec codec(classes(count));
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const double distance = squared_distance(codec.colour(static_cast<std::int64_t>(a)),
                                                 codec.colour(static_cast<std::int64_t>(b)));
        EXPECT_GE(distance, count <= 4 ? 2 : 1) << count << ": " << a << " and " << b;
      }
    }
  }
}

TEST(MaskCodec, ProbabilitiesAreASoftmaxOfSquaredDistances) {
  const MaskCodec codec(classes(3));
  const std::array<float, 3> pixel{0.6F, 0.2F, 0.7F};
  const at::Tensor decoded = at::tensor(at::ArrayRef<float>(pixel)).view({1, 3, 1, 1});
  std::array<double, 3> weight{};
  double sum = 0;
  for (std::int64_t label = 0; label < 3; ++label) {
    double distance = 0;
    for (std::size_t channel = 0; channel < 3; ++channel) {
      distance += std::pow(pixel[channel] - (codec.colour(label)[channel] ? 1 : 0), 2);
    }
    weight[static_cast<std::size_t>(label)] = std::exp(-4 * distance);  // 8 / 2, the nearest
    sum += weight[static_cast<std::size_t>(label)];
  }
  const at::Tensor probability = codec.to_probability(decoded).flatten();
  EXPECT_NEAR(probability[0].item<double>(), weight[1] / sum, 1e-6);
  EXPECT_NEAR(probability[1].item<double>(), weight[2] / sum, 1e-6);
  EXPECT_NEAR(codec.target(probability.view({2, 1, 1})).item<double>(), 1 - weight[0] / sum, 1e-6);
}

TEST(MaskCodec, ABlurBetweenTwoOfFourClassesIsNoThird) {
  const MaskCodec codec(classes(4));
  const at::Tensor image = codec.to_image(at::arange(4).to(at::kFloat).view({1, 1, 1, 4}));
  for (std::int64_t a = 0; a < 4; ++a) {
    for (std::int64_t b = 0; b < a; ++b) {
      const at::Tensor blur = (0.45 * image.select(3, a) + 0.55 * image.select(3, b)).unsqueeze(3);
      EXPECT_EQ(codec.to_labels(codec.to_probability(blur), 0.5).item<int>(), b);
    }
  }
}

TEST(MaskCodec, WhatIsNotFiniteStaysSo) {
  const at::Tensor decoded = at::full({1, 3, 2, 2}, NAN);
  for (const ClassCoding coding : {ClassCoding::kColours, ClassCoding::kChannels}) {
    EXPECT_TRUE(MaskCodec(classes(3, coding)).to_probability(decoded).isnan().all().item<bool>());
  }
}

}  // namespace
}  // namespace leaf
