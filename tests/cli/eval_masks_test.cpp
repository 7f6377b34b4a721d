// leaf_eval of mask files.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "eval_project.h"
#include "leaf/data/data_config.h"
#include "leaf/data/image_io.h"
#include "support/images.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::column;
using test::contains;
using test::eval_masks;
using test::expect_schema;
using test::expect_usage_error;
using test::named_column;
using test::run_cpu;
using test::TinyProject;

/// Files of tests/parity/make_mask_fixtures.py that show the same discs.
std::vector<fs::path> masks_of_discs(bool labels) {
  std::vector<fs::path> files;
  for (const fs::path& file : data::list_images(fs::path(LEAF_FIXTURES) / "data/masks", false)) {
    const std::string name = file.filename().string();
    if (name.starts_with("upright") && contains(name, "-labels") == labels) {
      files.push_back(file);
    }
  }
  return files;
}

}  // namespace

TEST(EvalMasks, ScoresMaskFilesByTheirNames) {
  const TinyProject project;
  const at::Tensor left = test::half_mask(8, 8);  // columns 0 to 3
  const at::Tensor none = at::zeros({8, 8}, at::kByte);
  const at::Tensor quarter = left.clone();
  quarter.narrow(0, 0, 4).fill_(0);
  data::write_png(project / "predicted/a.png", left);
  data::write_png(project / "predicted/sub/b.png", none);
  data::write_png(project / "predicted/c.png", none);
  data::write_png(project / "truth/a_segmentation.png", quarter);
  data::write_png(project / "truth/sub/b_segmentation.png", none);
  data::write_png(project / "truth/c_segmentation.png", left);
  const auto outcome = eval_masks(project, {"--truth-suffix", "_segmentation"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(column(project / "eval/scores.csv", 0), (std::vector<std::string>{"a", "c", "sub/b"}));
  const auto dice = column(project / "eval/scores.csv", 1);
  EXPECT_NEAR(std::stod(dice[0]), 2.0 / 3, 1e-5);
  EXPECT_EQ(std::stod(dice[1]), 0);
  EXPECT_EQ(std::stod(dice[2]), 1);
  EXPECT_TRUE(contains(outcome.out,
                       "both empty: 1 (every score 1), one of them empty: 1 (every score 0, but "
                       "specificity)"))
      << outcome.out;
}

TEST(EvalMasks, ProposesTheSuffixOfTrueMasks) {
  const TinyProject project;
  for (const std::string name : {"a", "b", "c"}) {
    data::write_png(project / "predicted" / (name + ".png"), test::half_mask(8, 8));
    data::write_png(project / "truth" / (name + "_segmentation.png"), test::half_mask(8, 8));
    data::write_png(project / "prefixed" / ("mask_" + name + ".png"), test::half_mask(8, 8));
  }
  expect_usage_error(eval_masks(project), "leaf_eval",
                     {"truth/a_segmentation.png' has no prediction", "(so have 3 of 3)",
                      "with --truth-suffix _segmentation 3 pair"});
  expect_usage_error(eval_masks(project, {"--truth-suffix", "_seg"}), "leaf_eval",
                     {"no true mask in '" + project.path("truth"), "is called 'NAME_seg'",
                      "with --truth-suffix _segmentation 3 pair"});
  const auto prefixed = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"--predictions",  project.path("predicted"),
                                       "--ground-truth", project.path("prefixed"),
                                       "--output",       project.path("eval")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_cpu("leaf_eval", arguments);
  };
  expect_usage_error(prefixed({}), "leaf_eval", {"with --truth-prefix mask_ 3 pair"});
  EXPECT_EQ(prefixed({"--truth-prefix", "mask_"}).exit_code, 0);
  data::write_png(project / "truth/other.png", test::half_mask(8, 8));
  const auto mixed = eval_masks(project, {"--truth-suffix", "_segmentation"});
  EXPECT_EQ(mixed.exit_code, 0) << mixed.err;
  EXPECT_TRUE(contains(mixed.err, "1 of 4 true masks are not called 'NAME_segmentation'"))
      << mixed.err;
}

TEST(EvalMasks, PicturesOfLeafInferAreNoPredictions) {
  const TinyProject project;
  data::write_png(project / "truth/a.png", test::half_mask(8, 8));
  for (const char* name : {"a.png", "overlays/a.png", "probabilities/a.png"}) {
    data::write_png(project / "predicted" / name, test::half_mask(8, 8));
  }
  const auto outcome = eval_masks(project);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "no ground truth")) << outcome.err;
  EXPECT_EQ(column(project / "eval/scores.csv", 0), std::vector<std::string>{"a"});
}

TEST(EvalMasks, AFolderThatTheTruthsHaveTooHoldsMasks) {
  const TinyProject project;
  for (const char* name : {"truth/labels/a.png", "predicted/labels/a.png"}) {
    data::write_png(project / name, test::half_mask(8, 8));
  }
  const auto outcome = eval_masks(project);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(column(project / "eval/scores.csv", 0), std::vector<std::string>{"labels/a"});
}

TEST(EvalMasks, OneImageHasNoConfidenceInterval) {
  const TinyProject project;
  const auto score = [&](const std::string& name) {
    data::write_png(project / "predicted" / name, test::half_mask(8, 8));
    data::write_png(project / "truth" / name, test::half_mask(8, 8));
    const auto outcome = eval_masks(project);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  const auto interval = [&] {
    return project.json("eval/summary.json")["scores"].at("dice_confidence_95");
  };
  const std::string one = score("a.png");
  EXPECT_FALSE(contains(one, "95 % CI") || contains(one, " to ")) << one;
  EXPECT_TRUE(interval().is_null());
  EXPECT_TRUE(contains(score("b.png"), "1.0000 to 1.0000"));
  EXPECT_EQ(interval().dump(), "[1.0,1.0]");
}

TEST(EvalMasks, GreyAboveTheThresholdIsForegroundAsInDataSets) {
  const TinyProject project;
  const auto dice_of = [&](int grey, const std::vector<std::string>& more = {}) {
    data::write_png(project / "predicted/a.png", test::half_mask(8, 8, grey));
    data::write_png(project / "predicted/b.png", test::half_mask(8, 8));
    data::write_png(project / "truth/a.png", test::half_mask(8, 8));
    data::write_png(project / "truth/b.png", test::half_mask(8, 8));
    const auto outcome = eval_masks(project, more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(contains(outcome.err,
                       "predicted/a.png' holds the values 0, 128, none above "
                       "--threshold 128: its target is EMPTY; set --threshold 0"),
              grey == 128)
        << outcome.err;
    return std::stod(column(project / "eval/scores.csv", 1).front());
  };
  const std::int64_t threshold = data::DataConfig{}.mask_threshold;
  EXPECT_EQ(dice_of(static_cast<int>(threshold)), 0);
  EXPECT_EQ(dice_of(static_cast<int>(threshold) + 1), 1);
  EXPECT_EQ(dice_of(1, {"--threshold", "0"}), 1);
}

TEST(EvalMasks, MasksOfEveryKindScoreOneAgainstEachOther) {
  const TinyProject project;
  const auto files = masks_of_discs(false);
  ASSERT_GT(files.size(), 40U);
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const auto& [folder, file] :
         {std::pair{"predicted", files[i]}, std::pair{"truth", files[(i + 7) % files.size()]}}) {
      fs::create_directories(project / folder);
      fs::copy_file(file, project / folder / (std::to_string(i) + file.extension().string()));
    }
  }
  const auto outcome = eval_masks(project);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto dice = column(project / "eval/scores.csv", 1);
  ASSERT_EQ(dice.size(), files.size());
  for (std::size_t i = 0; i < dice.size(); ++i) {
    EXPECT_EQ(std::stod(dice[i]), 1) << i;
  }
}

TEST(EvalMasks, MasksThatTheThresholdEmptiesAreRefused) {
  for (const fs::path& file : masks_of_discs(true)) {
    const TinyProject project;
    for (const char* folder : {"predicted", "truth"}) {
      fs::create_directories(project / folder);
      fs::copy_file(file, project / folder / ("a" + file.extension().string()));
    }
    expect_usage_error(eval_masks(project, {"--quiet"}), "leaf_eval",
                       {"predicted/a", "none above --threshold 128", "set --threshold 0"});
    EXPECT_FALSE(fs::exists(project / "eval/scores.csv"));
    EXPECT_EQ(eval_masks(project, {"--threshold", "0"}).exit_code, 0);
    EXPECT_EQ(std::stod(column(project / "eval/scores.csv", 1).front()), 1) << file;
  }
}

TEST(EvalMasks, IgnoredPixelsAreNotScored) {
  const TinyProject project;
  const at::Tensor truth = test::half_mask(8, 8, 1);  // columns 0 to 3
  truth.narrow(1, 4, 2).fill_(255);
  data::write_png(project / "truth/a.png", truth);
  data::write_png(project / "predicted/a.png", test::half_mask(8, 12).narrow(1, 0, 8));
  const auto all = eval_masks(project, {"--threshold", "0"});
  EXPECT_TRUE(contains(all.err, "truth/a.png' holds the values 0, 1, 255")) << all.err;
  const auto outcome = eval_masks(project, {"--threshold", "0", "--ignore-value", "255"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "holds the values")) << outcome.err;
  EXPECT_EQ(std::stod(column(project / "eval/scores.csv", 1).front()), 1);
  EXPECT_EQ(named_column(project / "eval/scores.csv", "tp").front(), "32");
  EXPECT_EQ(named_column(project / "eval/scores.csv", "tn").front(), "16");
  EXPECT_EQ(std::stod(named_column(project / "eval/scores.csv", "hausdorff").front()), 0);
  expect_schema(project.json("eval/summary.json"));
}

TEST(EvalMasks, MaskFilesThatDoNotFitAreNamed) {
  const TinyProject project;
  data::write_png(project / "predicted/a.png", test::half_mask(8, 8));
  data::write_png(project / "truth/a.png", test::half_mask(8, 9));
  expect_usage_error(eval_masks(project), "leaf_eval",
                     {"predicted/a.png' is 8x8", "truth/a.png' is 9x8"});
  data::write_png(project / "truth/a.png", test::half_mask(8, 8));
  data::write_png(project / "truth/b.png", test::half_mask(8, 8));
  expect_usage_error(eval_masks(project), "leaf_eval", {"truth/b.png' has no prediction"});
  expect_usage_error(run_cpu("leaf_eval", {"--predictions", project.path("nowhere"),
                                           "--ground-truth", project.path("truth")}),
                     "leaf_eval", {"nowhere"});
}

}  // namespace leaf
