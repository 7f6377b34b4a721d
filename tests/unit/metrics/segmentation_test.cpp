#include "leaf/metrics/segmentation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/curves.h"
#include "leaf/metrics/summary.h"
#include "support/temporary_folder.h"

namespace leaf::metrics {
namespace {

/// The scores of a picture with these counts.
ImageScore score(const Confusion& c, const std::string& name = "x") {
  const at::Tensor counts = at::tensor({c.tp, c.fp, c.fn, c.tn}, at::kLong);
  const auto pixels = [&](std::vector<std::int64_t> values) {
    return at::tensor(values, at::kLong).repeat_interleave(counts).to(at::kBool).unsqueeze(0);
  };
  return score_image(name, pixels({1, 1, 0, 0}), pixels({1, 0, 1, 0}));
}

/// The scores that only know target pixels.
constexpr std::array kOfTheTarget{"dice", "iou", "precision", "recall"};

TEST(Confusion, CountsBoolAndBytes) {
  const at::Tensor prediction = at::tensor({1, 1, 0, 0, 1}).to(at::kBool);
  const at::Tensor truth = at::tensor({255, 0, 255, 0, 7}).to(at::kByte);
  EXPECT_EQ(confusion(prediction, truth), (Confusion{2, 1, 1, 1}));
}

TEST(Confusion, ShapesMustAgree) {
  EXPECT_THROW(confusion(at::zeros({2, 3}), at::zeros({3, 2})), DataError);
}

TEST(Scores, AgreeWithTheirDefinitions) {
  const ImageScore s = score({6, 2, 4, 88});
  EXPECT_EQ(s.c, (Confusion{6, 2, 4, 88}));
  EXPECT_DOUBLE_EQ(s.value("dice"), 12.0 / 18.0);
  EXPECT_DOUBLE_EQ(s.value("iou"), 6.0 / 12.0);
  EXPECT_DOUBLE_EQ(s.value("precision"), 6.0 / 8.0);
  EXPECT_DOUBLE_EQ(s.value("recall"), 6.0 / 10.0);
  EXPECT_DOUBLE_EQ(s.value("specificity"), 88.0 / 90.0);
  EXPECT_THROW(s.value("dise"), Error);
}

TEST(Scores, SpecificityIsOfTheBackground) {
  EXPECT_DOUBLE_EQ(score({0, 5, 0, 15}).value("specificity"), 0.75);  // truth empty
  EXPECT_DOUBLE_EQ(score({0, 0, 5, 15}).value("specificity"), 1.0);   // prediction empty
  EXPECT_DOUBLE_EQ(score({3, 0, 4, 0}).value("specificity"), 1.0);    // no background
}

TEST(Scores, AnImageThatIsIgnoredWholeIsLeftOut) {
  const at::Tensor mask = at::ones({4, 5}, at::kByte);
  const ImageScore ignored = score_image("y", mask, mask, {}, std::nullopt, mask);
  const ImageScore half = score({6, 2, 4, 88});
  const Summary summary = summarise({half, ignored});
  EXPECT_EQ(summary.of("dice").mean, half.value("dice"));
  EXPECT_EQ(summary.of("dice").undefined, 1);
  EXPECT_EQ(summary.both_empty + summary.one_sided_empty, 0);
  ThresholdCurve curve;
  curve.add(at::zeros({1, 0}), at::zeros({1, 0}));
  EXPECT_EQ(curve.images(), 0);
}

TEST(Scores, StayInTheirRange) {
  for (const Confusion& c : {Confusion{6, 2, 4, 88}, Confusion{0, 0, 0, 9}, Confusion{0, 5, 0, 4},
                             Confusion{0, 0, 5, 4}, Confusion{9, 0, 0, 0}}) {
    const ImageScore s = score(c);
    ASSERT_EQ(s.values.size(), all_metrics().size());
    for (const Metric& metric : all_metrics()) {
      if (is_defined(s.value(metric.key))) {
        EXPECT_GE(s.value(metric.key), metric.lowest) << metric.key;
        EXPECT_LE(s.value(metric.key), metric.highest) << metric.key;
      }
    }
  }
}

TEST(Scores, BothEmptyCountsOneAndIsFlagged) {
  const ImageScore s = score({0, 0, 0, 9});
  for (const char* key : {"dice", "iou", "precision", "recall", "specificity", "accuracy"}) {
    EXPECT_EQ(s.value(key), 1.0) << key;
  }
  EXPECT_EQ(s.value("area_difference"), 0.0);
  EXPECT_FALSE(is_defined(s.value("relative_area_difference")));
  EXPECT_TRUE(s.c.both_empty());
  EXPECT_FALSE(s.c.one_sided_empty());
}

TEST(Scores, OneSidedEmptyCountsZeroAndIsFlagged) {
  for (const Confusion& c : {Confusion{0, 5, 0, 4}, Confusion{0, 0, 5, 4}}) {
    const ImageScore s = score(c);
    for (const char* key : kOfTheTarget) {
      EXPECT_EQ(s.value(key), 0.0) << key;
    }
    EXPECT_FALSE(s.c.both_empty());
    EXPECT_TRUE(s.c.one_sided_empty());
  }
  EXPECT_FALSE(score({0, 5, 5, 0}).c.one_sided_empty());  // a miss, but neither is empty
}

TEST(Metrics, TheReadmeListsThemAll) {
  const std::string readme = read_file(std::filesystem::path(LEAF_SOURCE_DIR) / "README.md");
  for (const Metric& metric : all_metrics()) {
    const std::string row = str("| `", metric.key, "` | ", metric.formula, " |");
    EXPECT_NE(readme.find(row), std::string::npos) << row;
  }
}

TEST(Summary, MeansMediansAndCounts) {
  // Dice 1 (both empty), 0 (truth empty), 0.5, 0.8
  const Summary s = summarise(
      {score({0, 0, 0, 9}), score({0, 3, 0, 6}), score({1, 1, 1, 6}), score({2, 1, 0, 6})});
  EXPECT_EQ(s.count, 4);
  EXPECT_EQ(s.both_empty, 1);
  EXPECT_EQ(s.one_sided_empty, 1);
  EXPECT_EQ(s.with_target, 2);
  EXPECT_DOUBLE_EQ(s.of("dice").mean, 2.3 / 4);
  EXPECT_DOUBLE_EQ(s.of("dice").median, 0.65);
  EXPECT_NEAR(s.of("dice").std, 0.434933, 1e-6);
  EXPECT_DOUBLE_EQ(s.with_target_mean("dice"), 0.65);
  EXPECT_DOUBLE_EQ(s.with_target_mean("iou"), (1.0 / 3 + 2.0 / 3) / 2);
}

TEST(Summary, OneImage) {
  const Summary s = summarise({score({2, 1, 0, 6})});
  EXPECT_DOUBLE_EQ(s.of("dice").mean, 0.8);
  EXPECT_DOUBLE_EQ(s.of("dice").median, 0.8);
  EXPECT_EQ(s.of("dice").std, 0.0);
  EXPECT_FALSE(s.of("dice").interval);
  EXPECT_NE(summary_json(s).find("\"dice_confidence_95\": null"), std::string::npos);
}

TEST(Summary, NothingToScore) { EXPECT_THROW(summarise({}), DataError); }

TEST(Summary, ConfidenceIntervalIsSeededAndOfTheRightWidth) {
  std::vector<ImageScore> scores;
  for (int i = 0; i < 400; ++i) {
    scores.push_back(score({i, 0, 400 - i, 0}));
  }
  const auto interval = [&](std::uint64_t seed) {
    SummaryOptions options;
    options.seed = seed;
    return summarise(scores, options).of("dice").interval;
  };
  const Summary s = summarise(scores);
  ASSERT_TRUE(interval(3));
  EXPECT_EQ(interval(3)->low, interval(3)->low);
  EXPECT_NE(interval(3)->low, interval(4)->low);
  const double half_width = 1.96 * s.of("dice").std / 20;  // of a normal mean over 400
  EXPECT_NEAR(interval(3)->low, s.of("dice").mean - half_width, 0.2 * half_width);
  EXPECT_NEAR(interval(3)->high, s.of("dice").mean + half_width, 0.2 * half_width);
}

TEST(Summary, WithoutATargetNothingIsKnownOfThose) {
  const at::Tensor empty = at::zeros({4, 4}, at::kByte);
  const Summary summary = summarise({score_image("x", empty, empty)});
  const auto json = nlohmann::json::parse(summary_json(summary)).at("with_target");
  EXPECT_EQ(json.at("count"), 0);
  EXPECT_TRUE(json.at("dice").is_null());
}

TEST(Summary, JsonStatesTheConvention) {
  const std::string json = summary_json(summarise({score({2, 1, 0, 6})}));
  EXPECT_NE(json.find("\"mean\": 0.8"), std::string::npos) << json;
  EXPECT_NE(json.find("empty_convention"), std::string::npos);
}

TEST(ScoresCsv, WhatWasThereBeforeKeepsItsPlace) {
  const test::TemporaryFolder folder;
  write_scores_csv(folder / "scores.csv", {score({2, 1, 0, 6}, "a,b"), score({0, 0, 0, 9}, "c")});
  const std::string content = read_file(folder / "scores.csv");
  EXPECT_EQ(content,
            "name,dice,iou,precision,recall,specificity,tp,fp,fn,tn,both_empty,one_sided_empty,"
            "accuracy,area_difference,relative_area_difference\n"
            "\"a,b\",0.800000,0.666667,0.666667,1.000000,0.857143,2,1,0,6,0,0,"
            "0.888889,1.000000,0.500000\n"
            "c,1.000000,1.000000,1.000000,1.000000,1.000000,0,0,0,9,1,0,1.000000,0.000000,\n");
}

TEST(ScoresCsv, HasTheGroupsThatWereScored) {
  const test::TemporaryFolder folder;
  ScoreOptions options;
  options.groups = {MetricGroup::kObjects};
  const at::Tensor one = at::eye(3).to(at::kBool);
  write_scores_csv(folder / "scores.csv", {score_image("x", one, one, options)});
  const auto rows = read_csv(folder / "scores.csv");
  EXPECT_EQ(rows[0].back(), "false_objects");
  EXPECT_EQ(rows[1].back(), "0");  // diagonal neighbours are one object
  EXPECT_EQ(rows[1][rows[1].size() - 3], "1");
}

TEST(Scores, IgnoredPixelsAreInNoCount) {
  const at::Tensor prediction = at::tensor({1, 1, 0, 0, 1, 0}).to(at::kByte).view({2, 3});
  const at::Tensor truth = at::tensor({1, 0, 1, 0, 0, 0}).to(at::kByte).view({2, 3});
  const at::Tensor ignored = at::tensor({0, 1, 0, 0, 0, 1}).to(at::kByte).view({2, 3});
  const ImageScore score = score_image("a", prediction, truth, {}, {}, ignored);
  EXPECT_EQ(score.c, (Confusion{.tp = 1, .fp = 1, .fn = 1, .tn = 1}));
  EXPECT_DOUBLE_EQ(score.value("dice"), 0.5);
  const ImageScore none = score_image("a", prediction, truth, {}, {}, at::zeros_like(ignored));
  EXPECT_EQ(none.c, score_image("a", prediction, truth).c);
}

/// Every score of a picture whose ignored pixels hold `there`, and its curves.
std::pair<std::vector<double>, Curves> scores_with(double there) {
  ScoreOptions options;
  options.groups = {MetricGroup::kBoundary, MetricGroup::kObjects, MetricGroup::kProbability};
  const at::Tensor truth = at::zeros({12, 12}, at::kByte);
  truth.narrow(0, 2, 6).narrow(1, 2, 5).fill_(1);
  at::Tensor probability = at::full({12, 12}, 0.2, at::kFloat);
  probability.narrow(0, 3, 6).narrow(1, 1, 5).fill_(0.7);
  const at::Tensor ignored = at::zeros({12, 12}, at::kByte);
  ignored.narrow(0, 5, 6).narrow(1, 4, 7).fill_(1);
  truth.masked_fill_(ignored.ne(0), there > 0.5 ? 1 : 0);
  probability.masked_fill_(ignored.ne(0), there);
  Curves curves;
  curves.add(probability, truth, ignored);
  return {score_image("a", probability > 0.5, truth, options, probability, ignored).values, curves};
}

TEST(Scores, IgnoredPixelsChangeNoScore) {
  const auto [low, low_curves] = scores_with(0.1);
  const auto [high, high_curves] = scores_with(0.95);
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    EXPECT_TRUE(is_defined(low[i])) << all_metrics()[i].key;
    EXPECT_EQ(low[i], high[i]) << all_metrics()[i].key;
  }
  EXPECT_NE(low[metric_index("hausdorff")], 0);
  EXPECT_NE(low[metric_index("brier")], 0);
  EXPECT_EQ(low_curves.calibration.error(), high_curves.calibration.error());
  EXPECT_EQ(low_curves.calibration.error(), low[metric_index("ece")]);
  for (int k = 0; k < ThresholdCurve::kCount; ++k) {
    EXPECT_EQ(low_curves.thresholds.dice(k), high_curves.thresholds.dice(k)) << k;
  }
}

TEST(Scores, APictureThatIsIgnoredAltogetherHasNone) {
  const at::Tensor all = at::ones({3, 3}, at::kByte);
  ScoreOptions options;
  options.groups = {MetricGroup::kBoundary, MetricGroup::kProbability};
  const ImageScore score =
      score_image("a", all, all, options, at::full({3, 3}, 0.5, at::kFloat), all);
  EXPECT_EQ(score.c, Confusion{});
  for (const Metric& metric : all_metrics()) {
    EXPECT_FALSE(is_defined(score.value(metric.key))) << metric.key;
  }
}

}  // namespace
}  // namespace leaf::metrics
