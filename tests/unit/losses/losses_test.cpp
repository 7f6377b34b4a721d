#include "losses/losses.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/small_networks.h"

namespace leaf::losses {
namespace {

using test::normal;

double cosine(const at::Tensor& teacher, const at::Tensor& projected) {
  return cosine_distillation(teacher, projected).item<double>();
}

}  // namespace

TEST(L1, IsTheMeanAbsoluteDifference) {
  const at::Tensor a = at::tensor({1.0F, -2.0F, 3.0F, 0.0F});
  const at::Tensor b = at::tensor({0.0F, 2.0F, 3.0F, 1.0F});
  EXPECT_FLOAT_EQ(l1(a, b).item<float>(), (1.0F + 4.0F + 0.0F + 1.0F) / 4);
  EXPECT_EQ(l1(a, a).item<float>(), 0.0F);
}

TEST(EdgeL1, WeighsWhereTheTargetIsUnsure) {
  const at::Tensor prediction = at::tensor({0.25F, 0.75F, 0.75F});
  const at::Tensor target = at::tensor({0.0F, 1.0F, 0.5F});
  EXPECT_FLOAT_EQ(edge_l1(prediction, target, 0).item<float>(),
                  l1(prediction, target).item<float>());
  EXPECT_FLOAT_EQ(edge_l1(prediction, target, 3).item<float>(), 0.25F * (1 + 1 + 4) / 3);
}

TEST(SoftDice, IsTheMeanOverImagesOfTheDifferenceByBothAreas) {
  const at::Tensor prediction = at::tensor({0.5F, 0.5F, 1.0F, 0.0F}).view({2, 1, 1, 2});
  const at::Tensor target = at::tensor({1.0F, 0.0F, 1.0F, 1.0F}).view({2, 1, 1, 2});
  EXPECT_FLOAT_EQ(soft_dice(prediction, target).item<float>(), (1.0F / 3 + 1.0F / 4) / 2);
  EXPECT_EQ(soft_dice(prediction, prediction).item<float>(), 0.0F);
  EXPECT_EQ(soft_dice(at::zeros({1, 1, 2, 2}), at::zeros({1, 1, 2, 2})).item<float>(), 0.0F);
}

TEST(SoftDice, LeavesNoImageEmpty) {
  for (const double almost_nothing : {-0.05, 0.0, 0.05}) {
    const at::Tensor prediction = at::full({1, 1, 8, 8}, almost_nothing).requires_grad_();
    const at::Tensor target = at::zeros({1, 1, 8, 8});
    target[0][0][3][4] = 1;
    soft_dice(prediction, target).backward();
    const double inside = prediction.grad()[0][0][3][4].item<double>();
    const double outside = prediction.grad()[0][0][0][0].item<double>();
    EXPECT_LT(inside, -0.3) << almost_nothing;
    EXPECT_LT(outside, 0.1) << almost_nothing << ": the many others do not outweigh it";
  }
}

TEST(CosineDistillation, OfEqualOppositeAndOrthogonalTokens) {
  const at::Tensor tokens = normal({2, 5, 8});
  EXPECT_NEAR(cosine(tokens, tokens), -1.0, 1e-6);
  EXPECT_NEAR(cosine(tokens, -tokens), 1.0, 1e-6);
  const at::Tensor x = at::tensor({1.0F, 0.0F}).expand({2, 5, 2});
  const at::Tensor y = at::tensor({0.0F, -3.0F}).expand({2, 5, 2});
  EXPECT_NEAR(cosine(x, y), 0.0, 1e-7);
}

TEST(CosineDistillation, IgnoresTheScaleOfEveryToken) {
  const at::Tensor teacher = normal({2, 5, 8}, 1);
  const at::Tensor projected = normal({2, 5, 8}, 2);
  const at::Tensor scales = normal({2, 5, 1}, 3).exp();
  EXPECT_NEAR(cosine(teacher * scales, projected / scales), cosine(teacher, projected), 1e-6);
}

TEST(CosineDistillation, IsTheMeanOverTokensAndImages) {
  const at::Tensor teacher = normal({2, 5, 8}, 1);
  const at::Tensor projected = normal({2, 5, 8}, 2);
  double sum = 0.0;
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t t = 0; t < 5; ++t) {
      const at::Tensor a = teacher[n][t].to(at::kDouble);
      const at::Tensor b = projected[n][t].to(at::kDouble);
      sum += (a * b).sum().item<double>() / (a.norm().item<double>() * b.norm().item<double>());
    }
  }
  EXPECT_NEAR(cosine(teacher, projected), -sum / 10, 1e-6);
}

TEST(CosineDistillation, IsFiniteForZeroTokens) {
  EXPECT_EQ(cosine(at::zeros({1, 2, 4}), normal({1, 2, 4})), 0.0);
}

TEST(KlDivergence, IsZeroAtTheStandardNormal) {
  EXPECT_EQ(kl_divergence(at::zeros({2, 8, 3, 3})).item<double>(), 0.0);
}

TEST(KlDivergence, IsSummedOverAnImageAndAveragedOverTheBatch) {
  // One latent channel of 2x2: half the squared mean each, and the variance's part.
  const at::Tensor moments = at::zeros({2, 2, 2, 2});
  moments[0][0].fill_(1.0);
  EXPECT_NEAR(kl_divergence(moments).item<double>(), (0.5 * 4 + 0.0) / 2, 1e-6);
  moments[1][1].fill_(std::log(4.0));
  EXPECT_NEAR(kl_divergence(moments).item<double>(),
              (0.5 * 4 + 0.5 * 4 * (4 - 1 - std::log(4.0))) / 2, 1e-5);
}

}  // namespace leaf::losses
