#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "support/images.h"
#include "train_project.h"

// What leaf_train says of images and masks, most of it without training.
namespace leaf {

namespace fs = std::filesystem;
using test::expect_parts;
using test::TrainProject;

TEST(DryRun, ReportsAndLeavesNothing) {
  const TrainProject project;
  const auto before = test::contents(project.folder.path());
  const auto outcome = project.train("runs/new", {"--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out,
               {"images             4 train, 1 validation, 1 test\n", "trained parameters ",
                "loss  ", "one step           ", "one validation     about ",
                "whole run          about ", "peak memory        ", " without validation)\n"});
  EXPECT_TRUE(test::contents(project.folder.path()) == before);
}

TEST(DryRun, NamesWhatMakesScoresLookBetter) {
  const TrainProject project;
  const auto clean = project.train("run", {"--dry-run", "--quiet"});
  EXPECT_EQ(clean.err, "");
  for (const std::string part : {"images/", "masks/"}) {
    fs::copy_file(project / ("data/" + part + "0001.png"), project / ("data/" + part + "0006.png"),
                  fs::copy_options::overwrite_existing);
    for (const int i : {1, 2, 3, 4, 5, 6}) {
      const std::string file = "data/" + part + "000" + std::to_string(i) + ".png";
      const std::string patient = i <= 3 ? "p1_" : "p2_";
      fs::rename(project / file, project / ("data/" + part + patient + std::to_string(i) + ".png"));
    }
  }
  const auto outcome = project.train("run", {"--dry-run", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.err,
               {"warning: 1 pair of near-identical images in different parts",
                "'p1_1' (train) and 'p2_6' (test)", "warning: the names look like 2 groups",
                "data.split.strategy: groups"});
}

TEST(DryRun, SaysWhatIsInTheRunsFolder) {
  const test::TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  const auto outcome = project.train("run", {"--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  test::expect_parts(outcome.err, {"the parts are those of '" + project.path("run/split.csv"),
                                   "exists: a run needs --resume"});
}

TEST(DryRun, WithoutValidation) {
  const TrainProject project;
  const auto outcome = project.train("run", {"--dry-run", "--set", "data.split.validation=0"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out, {", 0 validation, "});
  EXPECT_EQ(outcome.out.find("one validation"), std::string::npos);
  EXPECT_EQ(outcome.out.find("without validation"), std::string::npos);
}

TEST(DryRun, ReadsTheImagesOfAllParts) {
  const TrainProject project;
  for (const std::string name : {"0001.png", "0005.png", "0006.png"}) {
    const std::string image = read_file(project / "data/images" / name);
    write_file(project / "data/images" / name, image.substr(0, image.size() / 2));
    test::expect_usage_error(
        project.train("run", {"--dry-run", "--quiet"}), "leaf_train",
        {"cannot read image '" + project.path("data/images/" + name), "truncated"});
    write_file(project / "data/images" / name, image);
  }
}

TEST(DryRun, ListsEveryPairThatCannotBeUsed) {
  const TrainProject project;
  write_file(project / "data/images/0001.png", "this is no picture");
  data::write_png(project / "data/masks/0003.png", test::half_mask(64, 60));
  write_file(project / "data/masks/0006.png", "");
  const auto outcome = project.train("run", {"--dry-run", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 4) << outcome.err;
  expect_parts(outcome.err,
               {"0001.png': ", "0003.png' is 60x64", "0006.png': ",
                "leaf_train: error: 3 of 6 pairs cannot be used, listed above; replace or remove"});
}

TEST(DryRun, NamesMasksThatMayBeSwapped) {
  const TrainProject project;
  const at::Tensor inside = at::zeros({64, 64}, at::kByte);
  inside.slice(0, 20, 40).slice(1, 20, 40).fill_(255);
  for (const auto& mask : list_folder(project / "data/masks")) {
    data::write_png(mask, mask.filename() == "0005.png" ? 255 - inside : inside);
  }
  const auto outcome = project.train("run", {"--dry-run", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "warning: mask '" + project.path("data/masks/0005.png") +
                             "' has its target along 100 % of the border: check that target and "
                             "background are not swapped\n");
}

TEST(Train, LabelMapsTurnedRoundAreNamedAndRightOnesAreCropped) {
  const TrainProject project;
  const auto write_maps = [&](int background, int cup) {
    const at::Tensor labels = at::full({64, 64}, background, at::kByte);
    labels.slice(0, 20, 40).slice(1, 20, 40).fill_(128);
    labels.slice(0, 26, 34).slice(1, 26, 34).fill_(cup);
    for (const auto& image : list_folder(project / "data/images")) {
      data::write_png(project / "data/mask" / image.filename(), labels);
    }
  };
  const auto dry_run = [&](const std::string& crop) {
    const auto outcome =
        project.train("run", {"--dry-run", "--set", "data.dataset=refuge2", "--set",
                              "data.root=" + project.path(""), "--set", "data.crop=" + crop});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  };
  write_maps(0, 255);
  expect_parts(dry_run("none").err,
               {"info: data set 'refuge2' is used uncropped", "data.crop: disc",
                "reaches the border or fills half of the picture", "(6 of 6 are so"});
  write_maps(255, 0);
  const auto right = dry_run("disc");
  EXPECT_EQ(right.err.find("mask '"), std::string::npos) << right.err;
  EXPECT_EQ(right.err.find("uncropped"), std::string::npos) << right.err;
  expect_parts(right.out, {"of all pixels, 3.52 % are foreground"});  // 8x8 of 40x40, resized
}

TEST(Train, MasksWithoutForegroundAreCalledOut) {
  const TrainProject project;
  for (const auto& mask : list_folder(project / "data/masks")) {
    data::write_png(mask, at::zeros({64, 64}, at::kByte));
  }
  const std::string message =
      "no mask has foreground (looked at 4 in '" + project.path("data") +
      "'); check data.masks and data.mask_threshold against the values they hold";
  test::expect_usage_error(project.train("run", {"--dry-run", "--quiet"}), "leaf_train", {message});
  const auto run = project.train("run", {"--quiet"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "warning: " + message + "\n");

  data::write_png(project / "data/masks/0001.png", test::half_mask(64, 64));
  const auto one = project.train("one", {"--dry-run", "--quiet"});
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_EQ(one.err, "");
  expect_parts(one.out, {"train masks        25.0 % have foreground; of all pixels, 12.50 % are "
                         "foreground\n"});
  EXPECT_EQ(project.train("one", {"--quiet"}).err, "");
}

TEST(Train, OddMasksAreNamed) {
  const TrainProject project;
  data::write_png(project / "data/masks/0002.png", test::half_mask(64, 64, 200));
  const auto grey = project.train("grey", {"--quiet"});
  EXPECT_EQ(grey.exit_code, 0);
  expect_parts(grey.err, {"warning: mask '" + project.path("data/masks/0002.png"),
                          "holds the values 0, 200;", "check that this is meant"});

  for (const auto& mask : list_folder(project / "data/masks")) {
    data::write_png(mask, test::half_mask(64, 64, 1));
  }
  test::expect_usage_error(project.train("dry", {"--dry-run", "--quiet"}), "leaf_train",
                           {"0001.png' holds the values 0, 1, none above data.mask_threshold 128",
                            "(4 of 4 are so, as mask '", "set data.mask_threshold: 0"});
  const auto labels = project.train("labels", {"--quiet"});
  EXPECT_EQ(labels.exit_code, 0);
  expect_parts(labels.err, {"warning: mask '" + project.path("data/masks/000"),
                            "holds the values 0, 1, none above data.mask_threshold 128",
                            "set data.mask_threshold: 0", "(4 of 4 are so, as mask '"});
  const auto right = project.train("right", {"--quiet", "--set", "data.mask_threshold=0"});
  EXPECT_EQ(right.exit_code, 0);
  EXPECT_EQ(right.err, "");
}

}  // namespace leaf
