#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/csv.h"
#include "leaf/metrics/breakdown.h"
#include "support/temporary_folder.h"

namespace leaf::metrics {
namespace {

/// One image: of class "a" all is found, of "b" half, and there is no "c" on either side.
ImageScore image(const std::string& name) {
  const at::Tensor truth = at::tensor({0, 1, 1, 2, 2, 2, 2, 0}).view({1, 8});
  const at::Tensor prediction = at::tensor({0, 1, 1, 2, 2, 0, 0, 0}).view({1, 8});
  ScoreOptions options;
  options.groups = {MetricGroup::kBoundary, MetricGroup::kObjects};
  std::vector<ImageScore> classes;
  for (const auto& [label, title] : {std::pair{1, "a"}, {2, "b"}, {3, "c"}}) {
    classes.push_back(score_image(title, prediction.eq(label), truth.eq(label), options));
  }
  return mean_over_classes(name, classes);
}

TEST(ClassScores, TheImagesScoreIsTheMeanOfThoseWithAValue) {
  const ImageScore score = image("x");
  EXPECT_EQ(score.name, "x");
  EXPECT_NEAR(score.value("dice"), (1 + 2.0 / 3 + 1) / 3, 1e-12);
  EXPECT_NEAR(score.value("recall"), (1 + 0.5 + 1) / 3, 1e-12);
  EXPECT_EQ(score.classes[1].value("hausdorff"), 2);
  EXPECT_EQ(score.value("hausdorff"), 1) << "class c has no distance and does not count";
  EXPECT_EQ(score.c, (Confusion{.tp = 4, .fp = 0, .fn = 2, .tn = 6 + 4 + 8}));
}

TEST(ClassScores, ConventionsLookAtEveryClass) {
  std::vector<ImageScore> scores{image("x")};
  apply_convention(find_convention("nnunet"), scores);
  EXPECT_FALSE(is_defined(scores[0].classes[2].value("dice")));
  EXPECT_NEAR(scores[0].value("dice"), (1 + 2.0 / 3) / 2, 1e-12);
  for (const ConventionScores& row : compare_conventions(scores)) {
    if (row.convention->key == std::string("nnunet")) {
      EXPECT_NEAR(row.dice, (1 + 2.0 / 3) / 2, 1e-12);
    }
  }
}

TEST(ClassScores, NnunetAveragesImagesBeforeClasses) {
  const auto image_of = [](std::vector<Confusion> counts) {
    std::vector<ImageScore> classes;
    for (const Confusion& c : counts) {
      classes.push_back({"k", c, std::vector<double>(all_metrics().size()), {}});
    }
    ImageScore image = mean_over_classes("x", classes);
    return image;
  };
  // Class a 0.8 and 0.6, class b in neither mask and 0.2.
  std::vector<ImageScore> scores{image_of({{4, 1, 1, 4}, {0, 0, 0, 10}}),
                                 image_of({{3, 2, 2, 3}, {1, 4, 4, 1}})};
  const auto mean_by = [&](const char* key) {
    std::vector<ImageScore> converted = scores;
    const Convention& convention = find_convention(key);
    apply_convention(convention, converted);
    const Summary summary = summarise(converted, {.groups = {}, .convention = &convention});
    for (const ConventionScores& row : compare_conventions(scores)) {
      if (row.convention == &convention) {
        EXPECT_DOUBLE_EQ(row.dice, summary.of("dice").mean) << key;
      }
    }
    return summary.of("dice").mean;
  };
  EXPECT_NEAR(mean_by("nnunet"), (0.7 + 0.2) / 2, 1e-12);
  EXPECT_NEAR(mean_by("monai"), (0.8 + 0.4) / 2, 1e-12);
}

TEST(ClassScores, AreSummarisedByClassAndStandBehindTheirMean) {
  const std::vector<ImageScore> scores{image("x"), image("y")};
  const Breakdown breakdown = break_down(scores, {});
  ASSERT_EQ(breakdown.classes.size(), 3U);
  EXPECT_EQ(breakdown.classes[1].name, "b");
  EXPECT_NEAR(breakdown.classes[1].summary.of("dice").mean, 2.0 / 3, 1e-12);
  EXPECT_EQ(breakdown.classes[2].summary.both_empty, 2);
  const auto json = nlohmann::json::parse(breakdown_json(breakdown));
  EXPECT_NEAR(json["classes"]["b"]["dice"]["mean"].get<double>(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(json["dice"]["mean"].get<double>(), (1 + 2.0 / 3 + 1) / 3, 1e-12);

  const test::TemporaryFolder folder;
  write_scores_csv(folder / "scores.csv", scores);
  write_scores_csv(folder / "two.csv", scores_of_class(scores, 1));
  const auto rows = read_csv(folder / "scores.csv");
  const auto alone = read_csv(folder / "two.csv");
  const auto cell = [&](const auto& table, const std::string& name) {
    const auto& header = table.front();
    const auto found = std::find(header.begin(), header.end(), name);
    EXPECT_NE(found, header.end()) << name;
    return table[1].at(static_cast<std::size_t>(found - header.begin()));
  };
  EXPECT_TRUE(std::equal(alone[0].begin(), alone[0].end(), rows[0].begin()));
  for (const char* key : {"dice", "hausdorff", "lesions_found"}) {
    EXPECT_EQ(cell(rows, std::string(key) + "_b"), cell(alone, key)) << key;
  }
  EXPECT_EQ(cell(rows, "hausdorff_c"), "");
  EXPECT_EQ(cell(rows, "lesions_found"), "0.666667");
}

}  // namespace
}  // namespace leaf::metrics
