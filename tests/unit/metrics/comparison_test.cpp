#include "leaf/metrics/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::metrics {
namespace {

/// Writes a table and reads it.
struct Tables {
  ScoreTable read(const std::string& name, const std::string& content) const {
    write_file(folder / name, content);
    return read_scores(folder / name);
  }
  test::TemporaryFolder folder;
};

TEST(ScoreTables, TruthsEmptiesAndWords) {
  const Tables tables;
  const ScoreTable table =
      tables.read("a.csv", "name,dice,flag,hd95,note\nx,0.5,True,,good\ny,1,false,NaN,bad\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"dice", "flag", "hd95"}));
  EXPECT_EQ(table.rows[0][1], 1);
  EXPECT_FALSE(is_defined(table.rows[0][2]) || is_defined(table.rows[1][2]));
  EXPECT_THROW(tables.read("b.csv", "name,dice\nx,1\nx,0\n"), DataError);
  EXPECT_THROW(tables.read("c.csv", "name,dice\n"), DataError);
  EXPECT_THROW(tables.read("d.csv", "name,dice\nx\n"), DataError);
}

TEST(ScoreTables, AnIndexBeforeTheNamesIsNoName) {
  const Tables tables;
  const ScoreTable table = tables.read("a.csv", ",image,dice\n0,x,0.5\n1,y,1\n");
  EXPECT_EQ(table.names, (std::vector<std::string>{"x", "y"}));
}

TEST(Comparison, PairsByNameAndCounts) {
  const Tables tables;
  const ScoreTable a = tables.read("a.csv", "name,dice,hd95\np,0.5,4\nq,0.6,\nr,0.7,2\ns,1,1\n");
  const ScoreTable b = tables.read("b.csv", "name,hd95,dice\nr,3,0.7\nq,2,0.9\np,1,0.7\nt,1,1\n");
  const Comparison c = compare({a, b}, {});
  EXPECT_EQ(c.images, 3);
  EXPECT_EQ(c.left_out, 2);
  ASSERT_EQ(c.pairs.size(), 2U);
  const PairComparison& dice = c.pairs[0];
  EXPECT_EQ(dice.column, "dice");
  EXPECT_NEAR(dice.difference, 0.5 / 3, 1e-12);
  EXPECT_EQ(dice.wins_b, 2);
  EXPECT_EQ(dice.ties, 1);
  EXPECT_EQ(dice.deciding[0].image, "q");
  EXPECT_EQ(dice.images_to_turn, 2);
  const PairComparison& hd95 = c.pairs[1];
  EXPECT_EQ(hd95.undefined, 1);
  EXPECT_EQ(hd95.wins_b, 1);  // the lower is the better
  EXPECT_EQ(hd95.wins_a, 1);
  EXPECT_NEAR(hd95.difference, -1, 1e-12);
}

TEST(Comparison, AClassesColumnIsBetterAsItsMetricIs) {
  const Tables tables;
  const ScoreTable a = tables.read("a.csv", "name,hd95_disc,fn\nx,2,5\n");
  const ScoreTable b = tables.read("b.csv", "name,hd95_disc,fn\nx,10,7\n");
  const Comparison c = compare({a, b}, {.columns = {"hd95_disc", "fn"}, .groups = ""});
  for (const PairComparison& pair : c.pairs) {
    EXPECT_EQ(pair.wins_a, 1) << pair.column;
    EXPECT_EQ(pair.wins_b, 0) << pair.column;
  }
}

TEST(Comparison, AnothersTableMayWriteDistancesLargeAndInfinite) {
  const Tables tables;
  const ScoreTable a = tables.read("a.csv", "name,HD95\nx,2\ny,inf\n");
  const ScoreTable b = tables.read("b.csv", "name,HD95\nx,10\ny,3\n");
  const Comparison c = compare({a, b}, {.columns = {}, .groups = ""});
  EXPECT_EQ(c.pairs[0].wins_a, 1);
  EXPECT_EQ(c.pairs[0].wins_b, 0);
  EXPECT_EQ(c.pairs[0].difference, 8);
}

TEST(Comparison, GroupsAreWhatIsTested) {
  const Tables tables;
  std::string a = "name,dice\n";
  std::string b = a;
  std::string groups = "name,patient\n";
  for (int i = 0; i < 40; ++i) {
    const std::string name = "case" + std::to_string(i / 4) + "#" + std::to_string(i % 4);
    a += name + ",0." + std::to_string(500 + i) + "\n";
    b += name + ",0." + std::to_string(510 + 2 * i) + "\n";
  }
  for (int i = 0; i < 10; ++i) {  // by the names of the volumes
    groups += "case" + std::to_string(i) + ",p" + std::to_string(i) + "\n";
  }
  write_file(tables.folder / "groups.csv", groups);
  const Comparison c =
      compare({tables.read("a.csv", a), tables.read("b.csv", b)},
              {.columns = {}, .groups = (tables.folder / "groups.csv").string() + ":patient"});
  EXPECT_NEAR(c.pairs[0].test.p, 2.0 / 1024, 1e-12);  // ten patients that all gain
  EXPECT_EQ(c.pairs[0].images, 40);
}

TEST(Comparison, HolmCountsEveryTest) {
  const Tables tables;
  std::string a = "name,dice\n";
  std::string b = a;
  std::string c = a;
  for (int i = 0; i < 12; ++i) {
    const std::string name = "i" + std::to_string(i) + ",0.";
    a += name + std::to_string(500 + i) + "\n";
    b += name + std::to_string(510 + 2 * i) + "\n";
    c += name + std::to_string(505 + i) + "\n";
  }
  const Comparison comparison =
      compare({tables.read("a.csv", a), tables.read("b.csv", b), tables.read("c.csv", c)}, {});
  ASSERT_EQ(comparison.pairs.size(), 3U);
  EXPECT_NEAR(comparison.pairs[0].test.p, 2.0 / 4096, 1e-12);
  EXPECT_NEAR(comparison.pairs[0].p_holm, 3 * 2.0 / 4096, 1e-12);
  EXPECT_TRUE(comparison.pairs[1].interval.has_value());
  EXPECT_GE(comparison.pairs[1].interval->low, 0);
}

TEST(Comparison, RunsWithoutAnythingInCommon) {
  const Tables tables;
  const ScoreTable a = tables.read("a.csv", "name,dice\nx,1\n");
  EXPECT_THROW(compare({a, tables.read("b.csv", "name,dice\ny,1\n")}, {}), DataError);
  EXPECT_THROW(compare({a, tables.read("c.csv", "name,iou\nx,1\n")}, {}), DataError);
  EXPECT_THROW(compare({a}, {}), ConfigError);
  ComparisonOptions options;
  options.columns = {"dicce"};
  EXPECT_NE(test::message_of<DataError>([&] {
              compare({a, a}, options);
            }).find("'dice'"),
            std::string::npos);
}

TEST(Comparison, Files) {
  const Tables tables;
  const ScoreTable a = tables.read("a.csv", "name,dice\nx,1\ny,0.5\n");
  const Comparison comparison = compare({a, tables.read("b.csv", "name,dice\nx,1\ny,0.25\n")}, {});
  write_comparison_csv(tables.folder / "c.csv", comparison);
  const auto rows = read_csv(tables.folder / "c.csv");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1][7], "-0.125000");
  const auto json = nlohmann::json::parse(comparison_json(comparison));
  EXPECT_EQ(json["pairs"][0]["deciding"][0]["image"], "y");
  EXPECT_NE(comparison_text(comparison).find("largest differences y -0.2500"), std::string::npos)
      << comparison_text(comparison);
}

}  // namespace
}  // namespace leaf::metrics
