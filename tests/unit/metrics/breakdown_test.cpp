#include "leaf/metrics/breakdown.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/tables.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::metrics {
namespace {

using Levels = std::vector<std::pair<std::string, std::vector<std::size_t>>>;

/// A score with these counts and nothing else.
ImageScore image(const std::string& name, const Confusion& c) {
  ImageScore score{name, c, std::vector<double>(all_metrics().size(), kUndefined), {}};
  score.values[0] = all_conventions().front().dice(c);
  score.values[1] = all_conventions().front().iou(c);
  return score;
}

std::vector<ImageScore> five() {
  return {image("a", {10, 0, 0, 90}), image("b", {1, 1, 1, 97}), image("sub/c", {0, 0, 0, 100}),
          image("d", {20, 5, 5, 70}), image("e", {40, 0, 10, 50})};
}

Levels levels(const std::vector<Stratum>& strata) {
  Levels result;
  for (const Stratum& stratum : strata) {
    result.emplace_back(stratum.level, stratum.images);
  }
  return result;
}

struct Table {
  explicit Table(const std::string& content) { write_file(folder / "t.csv", content); }
  ImageColumn column(const std::string& name) const {
    return ImageColumn::read((folder / "t.csv").string() + ":" + name);
  }
  test::TemporaryFolder folder;
};

TEST(Cells, NumbersTruthsAndNothing) {
  EXPECT_EQ(cell_number("0.5"), 0.5);
  EXPECT_EQ(cell_number(" True "), 1);
  EXPECT_EQ(cell_number("false"), 0);
  for (const char* nothing :
       {"", "NaN", "nan", "NA", "n/a", "null", "None", " ", "-", "inf", "-Infinity"}) {
    EXPECT_FALSE(is_defined(cell_number(nothing).value())) << nothing;
  }
  EXPECT_FALSE(cell_number("female"));
  EXPECT_FALSE(cell_number("1 mm"));
}

TEST(Statistics, UndefinedScoresAreCountedAndLeftOut) {
  std::vector<ImageScore> scores = five();
  scores[1].values[0] = kUndefined;
  const Statistics dice = summarise(scores).of("dice");
  EXPECT_EQ(dice.undefined, 1);
  EXPECT_DOUBLE_EQ(dice.mean, (1 + 1 + 0.8 + 80.0 / 90) / 4);
  EXPECT_TRUE(
      nlohmann::json::parse(summary_json(summarise({scores[1]})))["dice"]["mean"].is_null());
}

TEST(Statistics, QuartilesAreInterpolated) {
  std::vector<ImageScore> scores;
  for (const double value : {4.0, 1.0, 2.0, 3.0}) {
    scores.push_back(image("x", {}));
    scores.back().values[0] = value;
  }
  EXPECT_DOUBLE_EQ(summarise(scores).of("dice").q1, 1.75);
  EXPECT_DOUBLE_EQ(summarise(scores).of("dice").q3, 3.25);
}

/// Ten images of each of four patients, alike within a patient: the mean is known as badly as from
/// four images, not as well as from forty.
TEST(Bootstrap, GroupsAreDrawnWhole) {
  std::vector<ImageScore> scores;
  SummaryOptions options;
  for (int i = 0; i < 40; ++i) {
    scores.push_back(image("x", {}));
    scores.back().values[0] = i / 10 / 3.0;
    options.groups.push_back(std::to_string(i / 10));
  }
  const auto width = [](const Summary& s) {
    return s.values[0].interval->high - s.values[0].interval->low;
  };
  EXPECT_GT(width(summarise(scores, options)), 2 * width(summarise(scores)));
  options.groups.assign(40, "one");
  EXPECT_FALSE(summarise(scores, options).values[0].interval);
}

TEST(Conventions, EmptyMasks) {
  const Confusion both{0, 0, 0, 9};
  const Confusion false_alarm{0, 3, 0, 6};
  const Confusion miss{0, 0, 3, 6};
  const auto dice = [](const char* key, const Confusion& c) {
    return find_convention(key).dice(c);
  };
  EXPECT_EQ(dice("leaf", both), 1);
  EXPECT_FALSE(is_defined(dice("nnunet", both)));
  EXPECT_EQ(dice("nnunet", false_alarm), 0);
  EXPECT_FALSE(is_defined(dice("monai", false_alarm)));
  EXPECT_EQ(dice("sdseg", false_alarm), 1);
  EXPECT_EQ(dice("sdseg", both), 0);
  EXPECT_EQ(dice("torchmetrics", both), 0);
  EXPECT_NEAR(dice("medsegdiff", miss), 1e-4 / 3, 1e-8);
  EXPECT_EQ(test::message_of<ConfigError>([] { find_convention("monay"); }),
            "there is no convention 'monay' (did you mean 'monai'?); known: leaf, nnunet, monai, "
            "medsegdiff, sdseg, torchmetrics");
}

/// 64 images of IoU 1 and one of 0: two batches, whose means are 1 and 0.
TEST(Conventions, PublishedIouIsAMeanOverBatches) {
  std::vector<ImageScore> scores(64, image("x", {1, 0, 0, 8}));
  scores.push_back(image("y", {0, 1, 1, 7}));
  BreakdownOptions options;
  options.convention = &find_convention("torchmetrics");
  options.conventions = true;
  const Breakdown breakdown = break_down(scores, options);
  EXPECT_DOUBLE_EQ(breakdown.summary.of("iou").mean, 0.5);
  EXPECT_DOUBLE_EQ(breakdown.conventions.back().iou, 0.5);
  EXPECT_DOUBLE_EQ(breakdown.conventions.front().iou, 64.0 / 65);
  EXPECT_EQ(nlohmann::json::parse(breakdown_json(breakdown))["convention"], "torchmetrics");
}

TEST(Strata, BySizeOfTarget) {
  EXPECT_EQ(levels(by_size(five(), "terciles")), (Levels{{"up to 10 px", {0, 1}},
                                                         {"above 10 to 25 px", {3}},
                                                         {"above 25 px", {4}},
                                                         {"no target", {2}}}));
  EXPECT_EQ(levels(by_size(five(), "30")),
            (Levels{{"up to 30 px", {0, 1, 3}}, {"above 30 px", {4}}, {"no target", {2}}}));
  for (const char* wrong : {"10,5", "x", "", "0", "5,,6"}) {
    EXPECT_THROW(by_size(five(), wrong), ConfigError) << wrong;
  }
}

TEST(Strata, ByAColumnOfWords) {
  const Table table("image,sex,age\na.png,f,50\nb.png,m,60\nc.png,f,\nd.png,NaN,61\n");
  EXPECT_EQ(levels(by_column(five(), table.column("sex"))),
            (Levels{{"f", {0, 2}}, {"m", {1}}, {"not stated", {3, 4}}}));
  EXPECT_EQ(levels(by_column(five(), table.column("age"))),
            (Levels{{"50", {0}}, {"60", {1}}, {"61", {3}}, {"not stated", {2, 4}}}));
}

TEST(Strata, WordsThatAreNoNumbersAreLevels) {
  const Table table("name,her2,grade\na,+,inf\nb,-,1\nc,-,2\nd,+,1\ne,,inf\n");
  EXPECT_EQ(levels(by_column(five(), table.column("her2"))),
            (Levels{{"+", {0, 3}}, {"-", {1, 2}}, {"not stated", {4}}}));
  EXPECT_EQ(levels(by_column(five(), table.column("grade"))),
            (Levels{{"1", {1, 3}}, {"2", {2}}, {"inf", {0, 4}}}));
}

TEST(Strata, WhatIsNotStatedIsNoLevelAmongFew) {
  std::vector<ImageScore> scores;
  std::string text = "name,centre\n";
  for (int i = 1; i <= 8; ++i) {
    scores.push_back(image(std::to_string(i), {1, 0, 0, 1}));
    text += str(i, ",", i, "\n");
  }
  scores.push_back(image("new", {1, 0, 0, 1}));
  EXPECT_EQ(by_column(scores, Table(text).column("centre")).size(), 9U);
}

TEST(Strata, ManyNumbersBecomeTerciles) {
  std::string content = "name,age\n";
  std::vector<ImageScore> scores;
  for (int i = 0; i < 12; ++i) {
    const std::string name = "n" + std::to_string(i);
    content += name + "," + std::to_string(i) + "\n";
    scores.push_back(image(name, {1, 0, 0, 0}));
  }
  const auto strata = by_column(scores, Table(content).column("age"));
  ASSERT_EQ(strata.size(), 3U);
  EXPECT_EQ(strata[0].images.size(), 4U);
}

TEST(Strata, TablesThatDoNotFitAreNamed) {
  const Table table("image,sex\na.png,f\na.jpg,m\n");
  EXPECT_THROW(table.column("sex"), DataError);  // two values of one image
  EXPECT_NE(test::message_of<DataError>([&] { table.column("sax"); }).find("did you mean 'sex'"),
            std::string::npos);
  EXPECT_THROW(ImageColumn::read("t.csv"), ConfigError);
  EXPECT_THROW(Table("image,sex\na.png\n").column("sex"), DataError);
}

TEST(Strata, ATablesNamesMayHaveAnyEndingThatImagesHave) {
  const Table table("image,sex\na.webp,f\nb.dcm,m\nc.nii.gz,f\nd.1.3,m\n");
  const ImageColumn column = table.column("sex");
  EXPECT_EQ(column.of("a"), "f");
  EXPECT_EQ(column.of("b"), "m");
  EXPECT_EQ(column.of("c"), "f");
  EXPECT_EQ(column.of("d.1.3"), "m");
}

TEST(Strata, ImagesAreFoundWithOrWithoutFolderAndEnding) {
  const Table table("image,sex\ntrain/a.png,f\nb.png,m\ntrain/c.png,f\ntest/c.png,m\n");
  const ImageColumn column = table.column("sex");
  for (const char* name : {"a", "a.png", "train/a", "train/a.png", "elsewhere/a.jpg"}) {
    EXPECT_EQ(column.of(name), "f") << name;
  }
  EXPECT_EQ(column.of("b.png"), "m");
  EXPECT_EQ(column.of("test/c"), "m");
  EXPECT_EQ(column.of("c"), "") << "which of the two is not said";
}

TEST(Strata, AreWritten) {
  const test::TemporaryFolder folder;
  BreakdownOptions options;
  options.by_size = "30";
  const Breakdown breakdown = break_down(five(), options);
  write_strata_csv(folder / "strata.csv", breakdown.strata);
  const auto rows = read_csv(folder / "strata.csv");
  EXPECT_EQ(rows[1][0], "size of target");
  EXPECT_EQ(rows[1][3], "dice");
  const auto json = nlohmann::json::parse(breakdown_json(breakdown));
  EXPECT_EQ(json["strata"][2]["level"], "no target");
  EXPECT_EQ(json["strata"][2]["summary"]["count"], 1);
}

}  // namespace
}  // namespace leaf::metrics
