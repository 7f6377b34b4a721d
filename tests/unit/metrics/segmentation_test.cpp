#include "leaf/metrics/segmentation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/csv.h"
#include "leaf/core/error.h"
#include "support/temporary_folder.h"

namespace leaf::metrics {
namespace {

ImageScore score(Confusion c, const std::string& name = "x") { return score_image(name, c); }

TEST(Confusion, CountsBoolAndBytes) {
  const at::Tensor prediction = at::tensor({1, 1, 0, 0, 1}).to(at::kBool);
  const at::Tensor truth = at::tensor({255, 0, 255, 0, 7}).to(at::kByte);
  EXPECT_EQ(confusion(prediction, truth), (Confusion{2, 1, 1, 1}));
}

TEST(Confusion, ShapesMustAgree) {
  EXPECT_THROW(confusion(at::zeros({2, 3}), at::zeros({3, 2})), DataError);
}

TEST(Scores, AgreeWithTheirDefinitions) {
  const Confusion c{6, 2, 4, 88};
  EXPECT_DOUBLE_EQ(dice(c), 12.0 / 18.0);
  EXPECT_DOUBLE_EQ(iou(c), 6.0 / 12.0);
  EXPECT_DOUBLE_EQ(precision(c), 6.0 / 8.0);
  EXPECT_DOUBLE_EQ(recall(c), 6.0 / 10.0);
}

TEST(Scores, BothEmptyCountsOneAndIsFlagged) {
  const ImageScore s = score({0, 0, 0, 9});
  EXPECT_EQ(s.dice + s.iou + s.precision + s.recall, 4.0);
  EXPECT_TRUE(s.both_empty);
  EXPECT_FALSE(s.one_sided_empty);
}

TEST(Scores, OneSidedEmptyCountsZeroAndIsFlagged) {
  for (const Confusion& c : {Confusion{0, 5, 0, 4}, Confusion{0, 0, 5, 4}}) {
    const ImageScore s = score(c);
    EXPECT_EQ(s.dice + s.iou + s.precision + s.recall, 0.0);
    EXPECT_FALSE(s.both_empty);
    EXPECT_TRUE(s.one_sided_empty);
  }
  EXPECT_FALSE(score({0, 5, 5, 0}).one_sided_empty);  // a miss, but neither is empty
}

TEST(Summary, MeansMediansAndCounts) {
  // Dice 1 (both empty), 0 (truth empty), 0.5, 0.8
  const Summary s = summarise(
      {score({0, 0, 0, 9}), score({0, 3, 0, 6}), score({1, 1, 1, 6}), score({2, 1, 0, 6})});
  EXPECT_EQ(s.count, 4);
  EXPECT_EQ(s.both_empty, 1);
  EXPECT_EQ(s.one_sided_empty, 1);
  EXPECT_EQ(s.with_target, 2);
  EXPECT_DOUBLE_EQ(s.dice.mean, 2.3 / 4);
  EXPECT_DOUBLE_EQ(s.dice.median, 0.65);
  EXPECT_NEAR(s.dice.std, 0.434933, 1e-6);
  EXPECT_DOUBLE_EQ(s.dice_with_target, 0.65);
  EXPECT_DOUBLE_EQ(s.iou_with_target, (1.0 / 3 + 2.0 / 3) / 2);
}

TEST(Summary, OneImage) {
  const Summary s = summarise({score({2, 1, 0, 6})});
  EXPECT_DOUBLE_EQ(s.dice.mean, 0.8);
  EXPECT_DOUBLE_EQ(s.dice.median, 0.8);
  EXPECT_EQ(s.dice.std, 0.0);
  EXPECT_FALSE(s.dice_confidence);
  EXPECT_NE(summary_json(s).find("\"dice_confidence_95\": null"), std::string::npos);
}

TEST(Summary, NothingToScore) { EXPECT_THROW(summarise({}), DataError); }

TEST(Summary, ConfidenceIntervalIsSeededAndOfTheRightWidth) {
  std::vector<ImageScore> scores;
  for (int i = 0; i < 400; ++i) {
    scores.push_back(score({i, 0, 400 - i, 0}));
  }
  const Summary s = summarise(scores, 3);
  ASSERT_TRUE(s.dice_confidence);
  EXPECT_EQ(s.dice_confidence->low, summarise(scores, 3).dice_confidence->low);
  EXPECT_NE(s.dice_confidence->low, summarise(scores, 4).dice_confidence->low);
  const double half_width = 1.96 * s.dice.std / 20;  // of a normal mean over 400
  EXPECT_NEAR(s.dice_confidence->low, s.dice.mean - half_width, 0.2 * half_width);
  EXPECT_NEAR(s.dice_confidence->high, s.dice.mean + half_width, 0.2 * half_width);
}

TEST(Summary, JsonStatesTheConvention) {
  const std::string json = summary_json(summarise({score({2, 1, 0, 6})}));
  EXPECT_NE(json.find("\"mean\": 0.8"), std::string::npos) << json;
  EXPECT_NE(json.find("empty_convention"), std::string::npos);
}

TEST(ScoresCsv, OneRowPerImage) {
  const test::TemporaryFolder folder;
  write_scores_csv(folder / "scores.csv", {score({2, 1, 0, 6}, "a,b"), score({0, 0, 0, 9}, "c")});
  const auto rows = read_csv(folder / "scores.csv");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].size(), 11U);
  EXPECT_EQ(rows[1], (std::vector<std::string>{"a,b", "0.800000", "0.666667", "0.666667",
                                               "1.000000", "2", "1", "0", "6", "0", "0"}));
  EXPECT_EQ(rows[2][9], "1");
}

}  // namespace
}  // namespace leaf::metrics
