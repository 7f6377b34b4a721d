#include "train/validation_scores.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/schema.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/scores.h"

namespace leaf {
namespace {

/// An image of these counts; distances as if they had been measured.
metrics::ImageScore image(const metrics::Confusion& c, double hd95 = metrics::kUndefined) {
  metrics::ImageScore score{.name = "",
                            .c = c,
                            .values = std::vector<double>(metrics::all_metrics().size(), 0.5),
                            .groups = {}};
  score.values[metrics::metric_index("dice")] = metrics::dice_of(c);
  score.values[metrics::metric_index("hd95")] = hd95;
  return score;
}

const metrics::ImageScore kGood = image({.tp = 40, .fp = 10, .fn = 10, .tn = 40}, 3);
const metrics::ImageScore kBothEmpty = image({.tn = 100});

}  // namespace

TEST(ValidationScores, TheKeyKnowsTheTable) {
  std::vector<std::string> names;
  for (const auto& metric : metrics::all_metrics()) {
    names.emplace_back(metric.key);
  }
  Config config;
  EXPECT_EQ(config::find_field(config::schema(config), "validation.best_metric")->expects,
            "one of " + join(names, ", "));
}

TEST(ValidationScores, DiceOverAllImagesDecidesByDefault) {
  const Scores scores = validation_scores({kGood, kBothEmpty}, {});
  EXPECT_NEAR(scores.at(kScore), 0.9, 1e-12);
  EXPECT_EQ(scores.at(kScore), scores.at("dice"));
  EXPECT_NEAR(scores.at("dice_with_target"), 0.8, 1e-12);
  EXPECT_EQ(scores.at("both_empty"), 1);
  EXPECT_FALSE(scores.contains("hd95"));
}

TEST(ValidationScores, EmptyImagesCanBeLeftOut) {
  const ValidationSection section{.best_images = BestImages::kWithTarget};
  EXPECT_NEAR(validation_scores({kGood, kBothEmpty}, section).at(kScore), 0.8, 1e-12);
  EXPECT_TRUE(std::isnan(validation_scores({kBothEmpty}, section).at(kScore)));
}

TEST(ValidationScores, AnyMetricDecides) {
  const ValidationSection section{.best_metric = "hd95"};
  EXPECT_TRUE(groups_to_score(section).has(metrics::MetricGroup::kBoundary));
  const Scores scores = validation_scores({kGood, kBothEmpty}, section);
  EXPECT_EQ(scores.at(kScore), 3);  // undefined for the other
  EXPECT_EQ(scores.at("hd95"), 3);
}

TEST(IsBetter, FollowsTheMetricAndKeepsTheEarliest) {
  const auto better = [](const std::string& metric, double score, double best) {
    return is_better(score, best, {.best_metric = metric});
  };
  EXPECT_TRUE(better("dice", 0.8, 0.7));
  EXPECT_FALSE(better("dice", 0.7, 0.7));
  EXPECT_FALSE(better("dice", 0.6, 0.7));
  EXPECT_TRUE(better("hd95", 2, 3));
  EXPECT_FALSE(better("hd95", 3, 3));
  EXPECT_TRUE(better("area_difference", -2, 3));
  EXPECT_FALSE(better("area_difference", -3, 2));
  EXPECT_FALSE(better("hd95", metrics::kUndefined, 3));
  EXPECT_TRUE(better("hd95", 3, metrics::kUndefined));
}

}  // namespace leaf
