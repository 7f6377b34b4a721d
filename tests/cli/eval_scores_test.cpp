// Conventions, parts and comparisons of leaf_eval.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/maps.h"
#include "support/images.h"
#include "tiny_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_usage_error;
using test::run_cpu;
using test::TinyProject;

/// Three masks: right, too large, both empty; a second set of predictions is right everywhere.
void write_three_masks(const TinyProject& project) {
  const at::Tensor half = test::half_mask(16, 16);
  const at::Tensor none = at::zeros({16, 16}, at::kByte);
  const auto write = [&](const char* folder, const char* name, const at::Tensor& mask) {
    data::write_png(project / folder / name, mask);
  };
  for (const char* folder : {"truth", "better"}) {
    write(folder, "a.png", half);
    write(folder, "b.png", half);
    write(folder, "c.png", none);
  }
  write("predicted", "a.png", half);
  write("predicted", "b.png", at::full({16, 16}, 255, at::kByte));
  write("predicted", "c.png", none);
  write_file(project / "sex.csv", "image,sex\na.jpg,f\nb.jpg,m\nc.jpg,NaN\n");
}

test::Outcome eval(const TinyProject& project, const std::string& predictions,
                   const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"--predictions",  project.path(predictions),
                                     "--ground-truth", project.path("truth"),
                                     "--output",       project.path(predictions + "-eval")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cpu("leaf_eval", arguments);
}

std::string cell(const fs::path& path, const std::string& name, const std::string& image) {
  const auto rows = read_csv(path);
  const auto place = std::find(rows[0].begin(), rows[0].end(), name) - rows[0].begin();
  for (const auto& row : rows) {
    if (row[0] == image) {
      return row.at(static_cast<std::size_t>(place));
    }
  }
  return "no such row";
}

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(EvalScores, LengthsAreInTheUnitOfTheSpacing) {
  const TinyProject project;
  write_three_masks(project);
  ASSERT_EQ(eval(project, "predicted", {"--spacing", "2,0.5", "--tolerance", "1"}).exit_code, 0);
  const fs::path scores = project / "predicted-eval/scores.csv";
  EXPECT_EQ(cell(scores, "hausdorff", "a"), "0.000000");
  EXPECT_EQ(cell(scores, "hausdorff", "b"), "4.000000");  // 8 columns of 0.5 mm
  EXPECT_EQ(cell(scores, "area_difference", "b"), "128.000000");
  EXPECT_EQ(cell(scores, "hausdorff", "c"), "");
  const auto summary = project.json("predicted-eval/summary.json");
  EXPECT_EQ(summary["spacing"], "2,0.5 mm");
  EXPECT_EQ(summary["scores"]["hausdorff"]["undefined"], 1);
  ASSERT_EQ(eval(project, "predicted", {"--metrics", "overlap"}).exit_code, 0);
  EXPECT_EQ(read_csv(scores)[0].back(), "relative_area_difference");
}

TEST(EvalScores, ConventionsAndParts) {
  const TinyProject project;
  write_three_masks(project);
  const auto outcome =
      eval(project, "predicted",
           {"--convention", "nnunet", "--compare-conventions", "--by-size", "200", "--by",
            project.path("sex.csv") + ":sex", "--groups", project.path("sex.csv") + ":sex"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out, {"1 undefined", "as in nnU-Net v2", "by size of target", "no target",
                             "by sex", "not stated", "torchmetrics (published LEAF)"});
  EXPECT_EQ(cell(project / "predicted-eval/scores.csv", "dice", "c"), "");
  const auto scores = project.json("predicted-eval/summary.json")["scores"];
  EXPECT_EQ(scores["convention"], "nnunet");
  EXPECT_NEAR(scores["dice"]["mean"], (1 + 2.0 / 3) / 2, 1e-9);
  EXPECT_EQ(scores["conventions"].size(), 6U);
  EXPECT_EQ(scores["strata"].size(), 2 + 3U);
  EXPECT_TRUE(fs::exists(project / "predicted-eval/strata.csv"));
}

TEST(EvalScores, ProbabilitiesOfFiles) {
  const TinyProject project;
  write_three_masks(project);
  for (const char* name : {"a.png", "b.png", "c.png"}) {
    data::write_png(project / "grey" / name, test::half_mask(16, 16, 204));
  }
  ASSERT_EQ(eval(project, "predicted", {"--probabilities", project.path("grey")}).exit_code, 0);
  const fs::path scores = project / "predicted-eval/scores.csv";
  EXPECT_EQ(cell(scores, "auroc", "a"), "1.000000");
  EXPECT_EQ(cell(scores, "brier", "a"), "0.020000");  // half of the pixels are 0.2 off
  EXPECT_EQ(cell(scores, "auroc", "c"), "");
  data::write_map(project / "grey/a.png", test::half_mask(16, 16, 1).to(at::kFloat).mul(0.9),
                  *data::find_map_writer("16", "map"));
  ASSERT_EQ(eval(project, "predicted", {"--probabilities", project.path("grey")}).exit_code, 0);
  EXPECT_NEAR(std::stod(cell(scores, "brier", "a")), 0.005,
              2e-6);  // half of the pixels are 0.1 off
  fs::remove(project / "grey/b.png");
  expect_usage_error(eval(project, "predicted", {"--probabilities", project.path("grey")}),
                     "leaf_eval", {"b.png' has no probability"});
}

TEST(EvalScores, ComparesEarlierRuns) {
  const TinyProject project;
  write_three_masks(project);
  ASSERT_EQ(eval(project, "predicted").exit_code, 0);
  ASSERT_EQ(eval(project, "better").exit_code, 0);
  const auto outcome = run_cpu("leaf_eval", {"--compare", project.path("predicted-eval"),
                                             project.path("better-eval/scores.csv"), "--report"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out,
               {"3 images that all runs have", "1 / 0 / 2", "largest differences b +"});
  const auto json = project.json("predicted-eval-compared/comparison.json");
  EXPECT_EQ(json["pairs"][0]["column"], "dice");
  EXPECT_NEAR(json["pairs"][0]["difference"], 1.0 / 9, 1e-6);
  EXPECT_TRUE(fs::exists(project / "predicted-eval-compared/comparison.csv"));
  EXPECT_TRUE(fs::exists(project / "predicted-eval-compared/comparison.html"));
  const auto again = run_cpu(
      "leaf_eval", {"--compare", project.path("predicted-eval"), project.path("better-eval")});
  expect_parts(again.err,
               {"replacing earlier results", "'comparison.html' in", "of an earlier call"});
  expect_usage_error(run_cpu("leaf_eval", {"--compare", project.path("predicted-eval"),
                                           project.path("better-eval"), "--convention", "nnunet"}),
                     "leaf_eval", {"--compare excludes --convention"});
}

TEST(EvalScores, ComparesATableInTheCurrentFolderBesideAnothersSummary) {
  const TinyProject project;
  write_three_masks(project);
  ASSERT_EQ(eval(project, "predicted").exit_code, 0);
  write_file(project / "predicted-eval/summary.json", R"({"tolerance": 2, "scores": [1]})");
  const fs::path before = fs::current_path();
  fs::current_path(project / "predicted-eval");
  const auto outcome =
      run_cpu("leaf_eval", {"--compare", "scores.csv", "../predicted-eval/scores.csv"});
  fs::current_path(before);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(project / "predicted-eval-compared/comparison.csv"));
}

TEST(EvalScores, ComparesOnTheSamePixelsAlone) {
  const TinyProject project;
  project.with_model();
  const auto of_model = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "--model", project.path("model"), "--config", project.path("config.yaml"),
        "--split", "validation",          "--output", project.path("scored")};
    words.insert(words.end(), more.begin(), more.end());
    return run_cpu("leaf_eval", words).exit_code;
  };
  const auto compare = [&] {
    return run_cpu("leaf_eval", {"--compare", project.path("scored"), project.path("files-eval")});
  };
  fs::create_directories(project / "files-eval");
  ASSERT_EQ(of_model({}), 0);
  fs::copy_file(project / "scored/scores-native.csv", project / "files-eval/scores.csv");
  write_file(project / "files-eval/summary.json", R"({"tolerance": "3"})");
  const auto outcome = compare();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.err, {"scores on other pixels; comparing scores-native.csv instead",
                             "tolerance is 2 in"});
  expect_parts(outcome.out, {"0 / 0 / 1"});
  ASSERT_EQ(of_model({"--no-native"}), 0);  // scores-native.csv stays, of the call before
  expect_usage_error(compare(), "leaf_eval", {"scores on other pixels", "without --no-native"});
  fs::create_directories(project / "run");
  fs::rename(project / "scored", project / "run/best-eval-test");
  expect_usage_error(run_cpu("leaf_eval", {"--compare", project.path("run")}), "leaf_eval",
                     {"no scores.csv in", project.path("run/best-eval-test")});
}

TEST(EvalScores, AMetricStandsForItsGroup) {
  const TinyProject project;
  write_three_masks(project);
  ASSERT_EQ(eval(project, "predicted", {"--metrics", "hd95"}).exit_code, 0);
  const auto scores = project.json("predicted-eval/summary.json").at("scores");
  EXPECT_TRUE(scores.contains("assd"));
  EXPECT_FALSE(scores.contains("lesions_found"));
}

TEST(EvalScores, WrongValuesAreOneLine) {
  const TinyProject project;
  write_three_masks(project);
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::vector<std::string>& parts) {
    expect_usage_error(eval(project, "predicted", more), "leaf_eval", parts);
  };
  refused({"--metrics", "boundry"}, {"boundry", "did you mean 'boundary'"});
  refused({"--metrics", "all"}, {"probability", "--probabilities"});
  refused({"--spacing", "1,x"}, {"--spacing", "'1,x'"});
  refused({"--convention", "monay"}, {"did you mean 'monai'"});
  refused({"--by", "nowhere.csv:sex"}, {"nowhere.csv"});
  refused({"--by", project.path("sex.csv") + ":sax"}, {"did you mean 'sex'"});
  refused({"--by-size", "large"}, {"--by-size", "terciles"});
  refused({"--tolerance", "nan"}, {"--tolerance", "nan is no finite number"});
  refused({"--object-overlap", "nan"}, {"--object-overlap", "nan is no finite number"});
  expect_usage_error(run_cpu("leaf_eval", {"--compare", project.path("truth")}), "leaf_eval",
                     {"scores.csv"});
  EXPECT_FALSE(fs::exists(project / "predicted-eval/scores.csv"));
}

}  // namespace
}  // namespace leaf
