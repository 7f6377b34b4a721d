#include "train/score_rows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace leaf {
namespace {

metrics::ImageScore score(std::int64_t tp) {
  metrics::ImageScore result{"", {.tp = tp, .fp = 2, .fn = 3, .tn = 4}, {}, {}};
  for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
    result.values.push_back(static_cast<double>(tp) + static_cast<double>(i) / 7);
  }
  return result;
}

TEST(ScoreRows, ScoresComeBackWithThoseOfTheirClasses) {
  metrics::ImageScore both = metrics::mean_over_classes("", {score(5), score(9)});
  const auto back = from_rows(to_rows({both, both}, 2));
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[1].c, both.c);
  EXPECT_EQ(back[1].values, both.values);
  ASSERT_EQ(back[1].classes.size(), 2U);
  EXPECT_EQ(back[1].classes[1].c, both.classes[1].c);
  EXPECT_EQ(back[1].classes[1].values, both.classes[1].values);
  EXPECT_TRUE(from_rows(to_rows({score(1)}))[0].classes.empty());
  EXPECT_EQ(to_rows({}, 2).size(1), to_rows({both}, 2).size(1));
}

}  // namespace
}  // namespace leaf
