#include "leaf/metrics/scores.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "leaf/metrics/curves.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {
namespace {

/// A mask of height x width with target pixels at these places.
at::Tensor mask(std::int64_t height, std::int64_t width,
                const std::vector<std::pair<std::int64_t, std::int64_t>>& places) {
  at::Tensor result = at::zeros({height, width}, at::kBool);
  for (const auto& [row, column] : places) {
    result[row][column] = true;
  }
  return result;
}

TEST(BoundaryScores, TwoPixelsApart) {
  const at::Tensor a = mask(8, 9, {{1, 1}});
  const at::Tensor b = mask(8, 9, {{4, 5}});
  const BoundaryScores s = boundary_scores(a, b, {}, 4.9);
  EXPECT_EQ(s.hausdorff, 5);
  EXPECT_EQ(s.hd95, 5);
  EXPECT_EQ(s.assd, 5);
  EXPECT_EQ(s.nsd, 0);
  EXPECT_EQ(s.boundary_iou, 0);
  EXPECT_EQ(boundary_scores(a, b, {}, 5).nsd, 1);  // as near as the tolerance is near
}

/// Spacings of which no multiple is a double: 5 steps of 0.4, 20 of 0.1, 3 of 0.7.
TEST(BoundaryScores, AsFarAsTheToleranceIsWithinIt) {
  for (const auto& [step, steps, tolerance] :
       {std::tuple(0.4, 5, 2.0), {0.1, 20, 2.0}, {0.7, 3, 2.1}, {0.1, 3, 0.3}}) {
    at::Tensor square = at::zeros({64, 64}, at::kByte);
    square.narrow(0, 7, 30).narrow(1, 9, 30).fill_(1);
    for (const std::int64_t axis : {0, 1}) {
      const at::Tensor moved = square.roll(steps, axis);
      EXPECT_EQ(boundary_scores(square, moved, {step, step}, tolerance).nsd, 1)
          << step << " along " << axis;
    }
  }
}

TEST(BoundaryScores, SpacingOfEachDirection) {
  const at::Tensor a = mask(8, 9, {{1, 1}});
  const BoundaryScores s = boundary_scores(a, mask(8, 9, {{4, 5}}), {2, 0.5}, 2);
  EXPECT_DOUBLE_EQ(s.hausdorff, std::hypot(3 * 2, 4 * 0.5));
}

/// The nearest pixel differs with the spacing: 3 rows down or 4 columns to the right.
TEST(BoundaryScores, TheNearestPixelDependsOnTheSpacing) {
  const at::Tensor a = mask(8, 9, {{1, 1}});
  const at::Tensor b = mask(8, 9, {{4, 1}, {1, 5}});
  const auto nearest = [&](const Spacing& spacing) {
    return 3 * boundary_scores(a, b, spacing, 1).assd;  // of a once, of b twice
  };
  EXPECT_DOUBLE_EQ(nearest({1, 1}), 3 + 3 + 4);
  EXPECT_DOUBLE_EQ(nearest({2, 1}), 4 + 6 + 4);
}

TEST(BoundaryScores, EmptyMasksHaveNoDistances) {
  const at::Tensor none = at::zeros({4, 4}, at::kBool);
  const at::Tensor some = mask(4, 4, {{0, 0}});
  for (const auto& [a, b] : {std::pair{none, some}, {some, none}, {none, none}}) {
    const BoundaryScores s = boundary_scores(a, b, {}, 2);
    EXPECT_FALSE(is_defined(s.hausdorff) || is_defined(s.hd95) || is_defined(s.assd));
    const bool both = !a.any().item<bool>() && !b.any().item<bool>();
    EXPECT_EQ(s.nsd, both ? 1 : 0);
    EXPECT_EQ(s.boundary_iou, both ? 1 : 0);
  }
}

TEST(BoundaryScores, BeyondThePictureIsBackground) {
  const at::Tensor full = at::ones({5, 5}, at::kBool);
  at::Tensor hollow = full.clone();
  hollow[2][2] = false;
  const BoundaryScores s = boundary_scores(full, hollow, {}, 1);
  EXPECT_EQ(s.hausdorff, 1);                          // the hole's neighbours to the frame
  EXPECT_DOUBLE_EQ(s.boundary_iou, 16.0 / (16 + 4));  // those four beside the hole are new
}

TEST(BoundaryScores, ATolerancelessThanAPixelHasNoBand) {
  const at::Tensor full = at::ones({5, 5}, at::kBool);
  EXPECT_FALSE(is_defined(boundary_scores(full, full, {}, 0.5).boundary_iou));
  EXPECT_EQ(boundary_scores(full, full, {}, 0.5).nsd, 1);
}

TEST(ObjectScores, FoundMissedAndFalse) {
  const at::Tensor truth = mask(6, 6, {{0, 0}, {1, 1}, {4, 4}});  // diagonal: two objects
  const at::Tensor prediction = mask(6, 6, {{1, 1}, {0, 5}});
  const ObjectScores any = object_scores(prediction, truth, 0);
  EXPECT_EQ(any.found, 1);
  EXPECT_EQ(any.missed, 1);
  EXPECT_EQ(any.spurious, 1);
  EXPECT_EQ(object_scores(prediction, truth, 0.5).found, 1);
  EXPECT_EQ(object_scores(prediction, truth, 0.6).found, 0);
}

TEST(ObjectScores, ExactlyTheShareIsFound) {
  const at::Tensor truth = at::ones({10, 10}, at::kByte);
  at::Tensor prediction = at::zeros({10, 10}, at::kByte);
  prediction.view(-1).slice(0, 0, 55).fill_(1);
  EXPECT_EQ(object_scores(prediction, truth, 0.55).found, 1);
  EXPECT_EQ(object_scores(prediction, truth, 0.56).found, 0);
}

TEST(ProbabilityScores, KnownValues) {
  const at::Tensor truth = at::tensor({1, 0, 1, 0}).view({2, 2}).to(at::kBool);
  const at::Tensor p = at::tensor({0.9F, 0.6F, 0.6F, 0.1F}).view({2, 2});
  const ProbabilityScores s = probability_scores(p, truth);
  EXPECT_DOUBLE_EQ(s.auroc, 3.5 / 4);  // the pair of equal ones counts half
  EXPECT_DOUBLE_EQ(s.average_precision, (1 + 2.0 / 3) / 2);
  EXPECT_NEAR(s.brier, (0.01 + 0.36 + 0.16 + 0.01) / 4, 1e-7);
  EXPECT_NEAR(s.ece, (0.1 + 0.2 + 0.1) / 4, 1e-7);
}

TEST(ProbabilityScores, UndefinedWithoutBothClasses) {
  const at::Tensor p = at::full({2, 2}, 0.25F);
  const ProbabilityScores none = probability_scores(p, at::zeros({2, 2}));
  EXPECT_FALSE(is_defined(none.auroc) || is_defined(none.average_precision));
  EXPECT_DOUBLE_EQ(none.brier, 0.0625);
  const ProbabilityScores all = probability_scores(p, at::ones({2, 2}));
  EXPECT_FALSE(is_defined(all.auroc));
  EXPECT_EQ(all.average_precision, 1);
}

TEST(ThresholdCurve, IsTheDiceOfThoseMasks) {
  const at::Tensor p = at::arange(100).to(at::kFloat).div(100).view({10, 10});
  const at::Tensor truth = p > 0.62;
  ThresholdCurve curve;
  EXPECT_FALSE(is_defined(curve.dice(0)));
  curve.add(p, truth);
  for (int i = 0; i < ThresholdCurve::kCount; ++i) {
    const double dice = score_image("x", p > ThresholdCurve::threshold(i), truth).value("dice");
    EXPECT_DOUBLE_EQ(curve.dice(i), dice) << ThresholdCurve::threshold(i);
  }
  EXPECT_DOUBLE_EQ(curve.best(), 0.62);
  ThresholdCurve flat;  // any threshold is as good
  flat.add(truth.to(at::kFloat), truth);
  EXPECT_DOUBLE_EQ(flat.best(), 0.5);
}

}  // namespace
}  // namespace leaf::metrics
