#include "leaf/report/result_table.h"

#include <gtest/gtest.h>

#include "leaf/core/files.h"
#include "leaf/report/learning_curves.h"
#include "leaf/report/model_comparison.h"
#include "support/temporary_folder.h"

namespace leaf::report {
namespace {

void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

}  // namespace

TEST(ResultTable, HasMeansDeviationsAndPublishedNumbers) {
  const test::TemporaryFolder folder;
  const ResultTable table{.title = "A & B",
                          .columns = {"One Dice (%)", "Two"},
                          .rows = {{"x|y", {{{90, 92}, "91.5 ± 0.1"}, {{80.125}, "", 3}}},
                                   {"<z>", {{{}, "70"}, {{}, ""}}}}};
  write_result_table(folder.path(), table);
  const std::string text = read_file(folder / "table.md");
  expect_has(text, "# A & B\n\n| setting | One Dice (%) | Two |\n| --- | --- | --- |\n");
  expect_has(text, "| x\\|y | 91.00 ± 1.41 (91.5 ± 0.1) | 80.12, 1 of 3 runs |\n");
  expect_has(text, "| <z> | – (70) | – |\n");
  const std::string csv = read_file(folder / "table.csv");
  expect_has(csv, "setting,column,runs,mean,deviation,published\n");
  expect_has(csv, "x|y,One Dice (%),2,91,1.41421");
  expect_has(csv, "x|y,Two,1,80.125,,\n");
  expect_has(csv, "<z>,One Dice (%),0,,,70\n");
  const std::string svg = read_file(folder / "plot.svg");
  expect_has(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
  expect_has(svg, "A &amp; B");
  expect_has(svg, "&lt;z&gt;");
  expect_has(svg, "<title>91.00</title>");
  expect_has(svg, "<title>91.5 ± 0.1</title>");
  write_result_table(folder / "again", table);
  EXPECT_EQ(read_file(folder / "again/plot.svg"), svg);
  EXPECT_TRUE(svg.starts_with("<svg")) << svg.substr(0, 80);
}

TEST(ModelComparison, HasCostAndWorthOfEachModel) {
  const test::TemporaryFolder folder;
  const ModelComparison comparison{
      .title = "A & B",
      .models = {{"large|one", 468.4, 378'600'000, 1600, 1, 0.91, 1},
                 {"small", 20.25, 1'500'000, 160, 10.5, 0.905, 0.975}}};
  write_model_comparison(folder.path(), comparison);
  const std::string text = read_file(folder / "models.md");
  expect_has(text, "| large\\|one | 468.40 | 378.60 | 1600.0 | 1.00 | 0.9100 | 1.0000 |\n");
  expect_has(text, "| small | 20.25 | 1.50 | 160.0 | 10.50 | 0.9050 | 0.9750 |\n");
  expect_has(text, model_table(comparison));
  expect_has(read_file(folder / "models.csv"), "small,20.25,1500000,160,10.5,0.905,0.975\n");
  const std::string svg = read_file(folder / "models.svg");
  expect_has(svg, "A &amp; B");
  // The slower and better one lies to the right and above, its name to the left.
  expect_has(svg, "<circle cx=\"481.7\" cy=\"116.7\"");
  expect_has(svg, "<circle cx=\"98.3\" cy=\"193.3\"");
}

TEST(LearningCurves, DrawLossesAndScores) {
  const test::TemporaryFolder folder;
  write_learning_curves(folder.path());
  EXPECT_FALSE(std::filesystem::exists(folder / "curves.svg"));
  write_file(folder / "metrics.jsonl",
             "{\"step\":1,\"phase\":\"train\",\"loss\":2.0,\"grad_norm\":9}\n"
             "{\"step\":2,\"phase\":\"train\",\"loss\":1.0}\n"
             "{\"step\":2,\"phase\":\"validation\",\"dice\":0.5,\"hd95\":null}\n"
             "{\"step\":3,\"pha");
  write_learning_curves(folder.path());
  const std::string svg = read_file(folder / "curves.svg");
  EXPECT_TRUE(svg.starts_with("<svg")) << svg.substr(0, 80);
  expect_has(svg, "points=\"60.0,30.0 480.0,210.0 \"");
  expect_has(svg, ">loss<");
  expect_has(svg, ">dice<");
  EXPECT_EQ(svg.find("grad_norm"), std::string::npos);
}

}  // namespace leaf::report
