#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/transforms.h"
#include "eval_project.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "support/images.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::column;
using test::contains;
using test::eval_masks;
using test::eval_model;
using test::expect_schema;
using test::expect_usage_error;
using test::named_column;
using test::run_cpu;
using test::TinyProject;

}  // namespace

TEST(Eval, HelpAndVersion) {
  test::expect_help("leaf_eval", {"--model",
                                  "--config",
                                  "--set",
                                  "--split",
                                  "=test",
                                  "--output",
                                  "--seed",
                                  "--seeds",
                                  "--noise",
                                  "--num-inference-steps",
                                  "--batch-size",
                                  "--native",
                                  "--overlays",
                                  "--predictions",
                                  "--ground-truth",
                                  "--truth-prefix",
                                  "--truth-suffix",
                                  "--threshold",
                                  "=128",
                                  "--ignore-value",
                                  "MODEL-eval-SPLIT",
                                  "--metrics",
                                  "--spacing",
                                  "--tolerance",
                                  "=2",
                                  "--object-overlap",
                                  "--convention",
                                  "=leaf",
                                  "--compare-conventions",
                                  "--by-size",
                                  "--by",
                                  "--groups",
                                  "--bootstrap-seed",
                                  "--probabilities",
                                  "--compare",
                                  "--columns",
                                  "--report",
                                  "--figure",
                                  "--figure-with",
                                  "--images",
                                  "--tune-threshold"});
}

TEST(Eval, ScoresAPartOfADataSetAtBothSizes) {
  const TinyProject project(6, 96, 3);
  project.with_model();
  const auto outcome = eval_model(project, "eval", {"--overlays", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* text : {"test part at the model's 64x64: 3 images", "Dice", "IoU", "95 % CI",
                           "both empty: ", "at the images' own sizes: 3 images"}) {
    EXPECT_TRUE(contains(outcome.out, text)) << text << " in\n" << outcome.out;
  }
  const std::vector<std::string> names{"0004", "0005", "0006"};
  EXPECT_EQ(column(project / "eval/scores.csv", 0), names);
  EXPECT_EQ(column(project / "eval/scores-native.csv", 0), names);
  const auto summary = project.json("eval/summary.json");
  EXPECT_EQ(summary["split"], "test");
  EXPECT_EQ(summary["noise"], "normal");
  EXPECT_EQ(summary["scores"]["count"], 3);
  double sum = 0;
  for (const std::string& dice : column(project / "eval/scores.csv", 1)) {
    sum += std::stod(dice);
  }
  EXPECT_GT(sum, 0);
  EXPECT_NEAR(summary["scores"]["dice"]["mean"], sum / 3, 1e-6);
  EXPECT_EQ(data::list_images(project / "eval/overlays", false).size(), 2U);
  // tp + fp + fn + tn is the number of pixels.
  const auto pixels = [&](const std::string& file) {
    std::int64_t total = 0;
    for (const char* count : {"tp", "fp", "fn", "tn"}) {
      total += std::stoll(named_column(project / file, count).front());
    }
    return total;
  };
  EXPECT_EQ(pixels("eval/scores.csv"), 64 * 64);
  EXPECT_EQ(pixels("eval/scores-native.csv"), 96 * 96);
}

TEST(Eval, SeveralSeedsAddTheirMeansAndLeaveTheScores) {
  const TinyProject project(6, 64, 3);
  project.with_model();
  expect_usage_error(eval_model(project, "zeros", {"--seeds", "2", "--noise", "zeros"}),
                     "leaf_eval", {"--noise zeros has one sample"});
  ASSERT_EQ(eval_model(project, "one", {"--batch-size", "2"}).exit_code, 0);
  const auto outcome = eval_model(project, "three", {"--batch-size", "2", "--seeds", "3"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "over 3 noise samples: Dice ")) << outcome.out;
  EXPECT_TRUE(read_file(project / "one/scores.csv") == read_file(project / "three/scores.csv"));
  const auto one = project.json("one/summary.json");
  const auto three = project.json("three/summary.json");
  EXPECT_EQ(one["scores"], three["scores"]);
  EXPECT_FALSE(one.contains("seeds"));
  const auto& seeds = three["seeds"];
  EXPECT_EQ(seeds["count"], 3);
  const auto means = seeds["dice"]["means"].get<std::vector<double>>();
  ASSERT_EQ(means.size(), 3U);
  EXPECT_NEAR(means[0], three["scores"]["dice"]["mean"], 1e-12);
  EXPECT_NE(means[0], means[1]);
  const double mean = (means[0] + means[1] + means[2]) / 3;
  double squares = 0;
  for (const double value : means) {
    squares += (value - mean) * (value - mean);
  }
  for (const char* metric : {"iou", "accuracy", "nsd", "lesions_found"}) {
    EXPECT_NEAR(seeds[metric]["means"][0], three["scores"][metric]["mean"], 1e-12) << metric;
  }
  expect_schema(three);
  EXPECT_NEAR(seeds["dice"]["mean"], mean, 1e-12);
  EXPECT_NEAR(seeds["dice"]["std"], std::sqrt(squares / 2), 1e-12);
}

TEST(Eval, TheBatchSizeDoesNotMatter) {
  const TinyProject project(7, 64, 5);
  project.with_model();
  ASSERT_EQ(eval_model(project, "one", {"--batch-size", "1", "--no-native"}).exit_code, 0);
  ASSERT_EQ(eval_model(project, "four", {"--batch-size", "4", "--no-native"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(project / "one/scores-native.csv"));
  const auto one = column(project / "one/scores.csv", 1);
  const auto four = column(project / "four/scores.csv", 1);
  ASSERT_EQ(one.size(), 5U);
  ASSERT_EQ(four.size(), 5U);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(std::stod(one[i]), std::stod(four[i]), 0.005);
  }
}

TEST(Eval, MasksOfLeafInferScoreTheSame) {
  const TinyProject project(5, 80, 3);
  project.with_model();
  ASSERT_EQ(eval_model(project, "by-model", {"--batch-size", "1"}).exit_code, 0);
  const auto infer = [&](const std::string& output, const std::string& size) {
    return run_cpu("leaf_infer",
                   {"--model", project.path("model"), "--input", project.path("data/images"),
                    "--output", project.path(output), "--output-size", size})
        .exit_code;
  };
  ASSERT_EQ(infer("predicted", "model"), 0);
  for (const std::string name : {"0003.png", "0004.png", "0005.png"}) {
    const at::Tensor mask = data::read_mask(project / "data/masks" / name);
    data::write_png(project / "truth" / name, data::resize_mask_nearest(mask, 64));
    data::write_png(project / "truth-native" / name, mask);
  }
  ASSERT_EQ(eval_masks(project).exit_code, 0);
  EXPECT_EQ(read_file(project / "eval/scores.csv"), read_file(project / "by-model/scores.csv"));

  ASSERT_EQ(infer("native", "original"), 0);
  const auto native = run_cpu("leaf_eval", {"--predictions", project.path("native"),
                                            "--ground-truth", project.path("truth-native")});
  ASSERT_EQ(native.exit_code, 0);
  EXPECT_TRUE(contains(native.err, "2 predictions have no ground truth")) << native.err;
  EXPECT_EQ(read_file(project / "native-eval/scores.csv"),
            read_file(project / "by-model/scores-native.csv"));
}

TEST(Eval, TheModelsResolutionWinsAndRunFoldersAreUnderstood) {
  const TinyProject project;
  project.with_model();
  fs::create_directories(project / "run");
  fs::rename(project / "model", project / "run/last");
  const std::vector<std::string> arguments{
      "--model", project.path("run"), "--config", project.path("config.yaml"),
      "--split", "validation",        "--set",    "data.resolution=128"};
  const auto outcome = run_cpu("leaf_eval", arguments);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "model's resolution 64")) << outcome.err;
  EXPECT_EQ(project.json("run/last-eval-validation/summary.json")["scores"]["count"], 1);
}

TEST(Eval, TheRunsOwnDivisionIsKeptAndSaid) {
  const test::TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  const auto score = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"--model",  project.path("run"),
                                   "--config", project.path("train.yaml"),
                                   "--split",  "validation"};
    words.insert(words.end(), more.begin(), more.end());
    return run_cpu("leaf_eval", words);
  };
  const auto same = score({});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_FALSE(contains(same.err, "its own division counts")) << same.err;
  const auto other = score({"--set", "seed=99"});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_TRUE(contains(other.err, "its own division counts")) << other.err;
  fs::rename(project / "data", project / "moved");
  const auto moved = score({"--set", "seed=99", "data.root=" + project.path("moved")});
  EXPECT_EQ(moved.exit_code, 0) << moved.err;
  EXPECT_TRUE(contains(moved.err, "are taken for those of")) << moved.err;
  for (const char* folder : {"images", "masks"}) {
    for (const fs::path& file : list_folder(project / "moved" / folder)) {
      fs::rename(file, file.parent_path() / ("other" + file.filename().string()));
    }
  }
  const auto others = score({"--set", "data.root=" + project.path("moved")});
  EXPECT_TRUE(contains(others.err, "they are divided anew")) << others.err;
}

TEST(Eval, WhatIsNotFiniteIsNamed) {
  const TinyProject project;
  project.with_model();
  project.scale_weight("unet", "out.0.weight", 1e3);
  project.scale_weight("unet", "out.2.weight", 1e37);  // weights are finite, their products are not
  expect_usage_error(eval_model(project, "eval", {"--quiet"}), "leaf_eval",
                     {"'0003'", "result is not finite"});
  EXPECT_FALSE(fs::exists(project / "eval/scores.csv"));
  const auto inferred =
      run_cpu("leaf_infer", {"--model", project.path("model"), "--input",
                             project.path("data/images"), "--output", project.path("masks")});
  EXPECT_EQ(inferred.exit_code, 1) << inferred.err;
  EXPECT_TRUE(contains(inferred.err, "0001.png': the model's result is not finite"))
      << inferred.err;
  EXPECT_FALSE(fs::exists(project / "masks/0001.png"));
  for (const auto& [part, name] : std::vector<std::pair<std::string, std::string>>{
           {"latent_encoder", "encoder.conv_in.weight"},
           {"vae", "decoder.conv_out.bias"},
           {"unet", "out.2.weight"}}) {
    project.with_model();
    project.scale_weight(part, name, NAN);
    expect_usage_error(eval_model(project, "eval", {"--quiet"}), "leaf_eval",
                       {name, "/" + part, "not finite"});
  }
}

TEST(Eval, AnEmptyPartNamesTheKey) {
  const TinyProject project;
  project.with_model();
  expect_usage_error(eval_model(project, "eval", {"--set", "data.split.test=0"}), "leaf_eval",
                     {"the test part is empty", "data.split.test"});
  expect_usage_error(eval_model(project, "eval", {"--split", "tests"}), "leaf_eval", {"'tests'"});
}

TEST(Eval, AModelsTruthsAreLookedAtToo) {
  const TinyProject project;
  project.with_model();
  for (const fs::path& mask : data::list_images(project / "data/masks", false)) {
    data::write_png(mask, test::half_mask(64, 64, 1));
  }
  expect_usage_error(eval_model(project, "eval", {"--quiet"}), "leaf_eval",
                     {"masks/0003.png' holds the values 0, 1, none above data.mask_threshold 128",
                      "2 of 2 are so", "set data.mask_threshold: 0"});
  EXPECT_EQ(eval_model(project, "eval", {"--set", "data.mask_threshold=0"}).exit_code, 0);
}

TEST(Eval, SaysThatEarlierResultsAreReplaced) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "predicted/a.png", test::half_mask(8, 8));
  data::write_png(project / "truth/a.png", test::half_mask(8, 8));
  const std::string notice = "info: replacing earlier results in '" + project.path("eval") + "'\n";
  const auto says_so = [&](const test::Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return contains(outcome.err, notice);
  };
  EXPECT_FALSE(says_so(eval_masks(project)));
  EXPECT_TRUE(says_so(eval_masks(project)));
  EXPECT_TRUE(says_so(eval_model(project, "eval")));
  fs::remove_all(project / "eval");
  EXPECT_FALSE(says_so(eval_model(project, "eval")));
}

TEST(Eval, SaysWhichFilesOfAnEarlierCallStay) {
  const TinyProject project;
  data::write_png(project / "predicted/a.png", test::half_mask(8, 8));
  data::write_png(project / "truth/a.png", test::half_mask(8, 8));
  ASSERT_EQ(eval_masks(project, {"--report"}).exit_code, 0);
  const auto outcome = eval_masks(project);
  EXPECT_TRUE(contains(outcome.err, "warning: 'report.html' in '" + project.path("eval") +
                                        "' are of an earlier call"))
      << outcome.err;
}

TEST(Eval, AnImagesFolderThatHasNoneIsSaid) {
  const TinyProject project;
  data::write_png(project / "predicted/a.png", test::half_mask(8, 8));
  data::write_png(project / "truth/a.png", test::half_mask(8, 8));
  expect_usage_error(eval_masks(project, {"--report", "--images", project.path("none")}),
                     "leaf_eval", {"--images: no folder", "none"});
  const auto outcome = eval_masks(project, {"--report", "--images", project.path("data/masks")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(contains(outcome.err, "has no image 'a'")) << outcome.err;
}

TEST(Eval, WrongUsageIsOneLine) {
  const TinyProject project;
  expect_usage_error(run_cpu("leaf_eval", {}), "leaf_eval", {"--model", "--predictions"});
  expect_usage_error(run_cpu("leaf_eval", {"--model", "x"}), "leaf_eval", {"--config"});
  expect_usage_error(eval_model(project, "eval"), "leaf_eval", {"no model folder"});
  fs::remove(project / "data/masks/0004.png");
  project.with_model();
  expect_usage_error(eval_model(project, "eval"), "leaf_eval", {"0004"});
  write_file(project / "file", "");
  expect_usage_error(eval_masks(project, {"--output", project.path("file")}), "leaf_eval", {});
}

}  // namespace leaf
