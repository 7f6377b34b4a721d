// Pages, figures and the threshold of leaf_eval.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/sha256.h"
#include "eval_project.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/folders.h"
#include "support/exif_bytes.h"
#include "support/images.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::eval_masks;
using test::eval_model;
using test::expect_schema;
using test::expect_usage_error;
using test::TinyProject;

constexpr std::int64_t kCell = 196;  // of a figure
constexpr std::int64_t kEdge = 4;
constexpr std::int64_t kCaption = 24;
constexpr std::int64_t kCaseCaption = 18;

/// Two masks: right, and too large; `other` is right everywhere.
void write_two_masks(const TinyProject& project) {
  const at::Tensor half = test::half_mask(16, 16);
  for (const char* name : {"a.png", "b.png"}) {
    data::write_png(project / "truth" / name, half);
    data::write_png(project / "other" / name, half);
    data::write_png(project / "images" / name, test::picture(16, 16));
  }
  data::write_png(project / "predicted/a.png", half);
  data::write_png(project / "predicted/b.png", at::full({16, 16}, 255, at::kByte));
}

double threshold_of(const TinyProject& project) {
  return project.json("model/preprocessing.json")["threshold"];
}

data::ImageSize size_of(const fs::path& picture) {
  return data::size_of(data::read_image(picture).rgb);
}

data::ImageSize figure_size(std::int64_t rows, std::int64_t columns) {
  return {kCaption + rows * (kCaseCaption + kCell) + kEdge, columns * kCell + kEdge};
}

/// A cell's inside.
at::Tensor cell(const at::Tensor& figure, std::int64_t row, std::int64_t column) {
  constexpr std::int64_t kSide = kCell - kEdge;
  const std::int64_t top = kEdge + kCaption + row * (kCaseCaption + kCell) + kCaseCaption;
  return figure.narrow(0, top, kSide).narrow(1, kEdge + column * kCell, kSide);
}

}  // namespace

TEST(EvalPages, OfMasksAndModels) {
  const TinyProject project;
  write_two_masks(project);
  ASSERT_EQ(
      eval_masks(project, {"--report", "--figure", "--images", project.path("images")}).exit_code,
      0);
  EXPECT_EQ(size_of(project / "eval/figure.png"), figure_size(2, 4));
  const std::string masks = read_file(project / "eval/report.html");
  for (const char* part : {"<svg", "case-1", "worst"}) {
    EXPECT_TRUE(contains(masks, part)) << part;
  }
  project.with_model();
  ASSERT_EQ(eval_model(project, "eval", {"--report", "--figure"}).exit_code, 0);
  const std::string page = read_file(project / "eval/report.html");
  for (const char* part :
       {"mean Dice by threshold", "share of target pixels by probability", "AUROC"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

/// Masks in files of their own lie on the stored pixels, however a viewer turns them.
TEST(EvalPages, ImagesThatAViewerTurnsLieAsStored) {
  const TinyProject project;
  write_two_masks(project);
  data::write_jpeg(project / "stored.jpg", test::picture(16, 16));
  const auto figure_of = [&](const std::string& bytes) {
    fs::remove(project / "images/a.png");
    write_file(project / "images/a.jpg", bytes);
    EXPECT_EQ(eval_masks(project, {"--figure", "--images", project.path("images")}).exit_code, 0);
    return read_file(project / "eval/figure.png");
  };
  const std::string stored = read_file(project / "stored.jpg");
  const std::string figure = figure_of(stored);
  for (const unsigned orientation : {3U, 6U}) {
    EXPECT_EQ(figure_of(test::with_exif(stored, orientation, true)), figure) << orientation;
  }
}

/// ... unless only the turned picture has their size.
TEST(EvalPages, ImagesAsDisplayedUnderMasksOfThatSize) {
  const TinyProject project;
  const at::Tensor stored = test::picture(16, 24);
  data::write_png(project / "truth/a.png", test::half_mask(24, 16));
  data::write_png(project / "predicted/a.png", test::half_mask(24, 16));
  data::write_jpeg(project / "stored.jpg", stored);
  const auto figure_of = [&](const std::string& bytes) {
    write_file(project / "images/a.jpg", bytes);
    EXPECT_EQ(eval_masks(project, {"--figure", "--images", project.path("images")}).exit_code, 0);
    return cell(data::read_image(project / "eval/figure.png").rgb, 0, 0);
  };
  const at::Tensor without = figure_of(read_file(project / "stored.jpg"));  // of another size
  EXPECT_FALSE(
      figure_of(test::with_exif(read_file(project / "stored.jpg"), 6, true)).equal(without));
}

TEST(EvalPages, SayWhichModelAndWhichData) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(eval_model(project, "eval", {"--report"}).exit_code, 0);
  const auto summary = project.json("eval/summary.json");
  EXPECT_EQ(summary["model_sha256"], model_sha256(project / "model"));
  EXPECT_EQ(summary["images_sha256"], sha256("0003\n0004\n"));
  expect_schema(summary);
  const std::string page = read_file(project / "eval/report.html");
  for (const char* key : {"model_sha256", "images_sha256"}) {
    EXPECT_TRUE(contains(page, summary[key].get<std::string>())) << key;
  }
}

TEST(EvalPages, AFigureOfSeveralFoldersAndModels) {
  const TinyProject project;
  write_two_masks(project);
  project.with_model();
  fs::create_directories(project / "run");
  fs::copy(project / "model", project / "run/best", fs::copy_options::recursive);
  const auto outcome =
      eval_masks(project, {"--figure", "--images", project.path("images"), "--figure-with",
                           project.path("other"), project.path("run")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(size_of(project / "eval/figure.png"), figure_size(2, 5));
  const at::Tensor figure = data::read_image(project / "eval/figure.png").rgb;
  for (const std::int64_t row : {0, 1}) {
    EXPECT_TRUE(cell(figure, row, 3).equal(cell(figure, row, 1))) << "other is the truth";
  }
  EXPECT_FALSE(cell(figure, 0, 2).equal(cell(figure, 0, 1)) &&
               cell(figure, 1, 2).equal(cell(figure, 1, 1)));

  const auto of_model =
      eval_model(project, "by-model", {"--figure", "--figure-with", project.path("run")});
  ASSERT_EQ(of_model.exit_code, 0) << of_model.err;
  EXPECT_EQ(size_of(project / "by-model/figure.png"), figure_size(2, 4));
}

TEST(EvalPages, WhatAFigureLacksIsNamed) {
  const TinyProject project;
  write_two_masks(project);
  expect_usage_error(eval_masks(project, {"--figure", "--figure-with", project.path("nowhere")}),
                     "leaf_eval", {"--figure-with", "nowhere"});
  EXPECT_FALSE(fs::exists(project / "eval/scores.csv"));
  fs::remove(project / "other/b.png");
  const auto missing = eval_masks(project, {"--figure", "--figure-with", project.path("other")});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_TRUE(contains(missing.err, "no mask 'b' in '" + project.path("other"))) << missing.err;
}

TEST(EvalPages, TunesTheThresholdOnTheValidationPart) {
  const TinyProject project;
  project.with_model();
  const double before = threshold_of(project);
  const auto outcome = eval_model(project, "eval", {"--tune-threshold", "--no-native"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "validation part at the model's 64x64: 1 image"));
  EXPECT_TRUE(contains(outcome.out, "is now"));
  const double after = threshold_of(project);
  EXPECT_NE(after, before);
  const auto dice = [&] { return project.json("eval/summary.json")["scores"]["dice"]["mean"]; };
  ASSERT_EQ(eval_model(project, "eval", {"--split", "validation", "--no-native"}).exit_code, 0);
  EXPECT_TRUE(contains(outcome.out, str("validation part ", fixed(dice().get<double>(), 4))));
  EXPECT_EQ(std::stod(project.json("eval/summary.json")["threshold"].get<std::string>()), after);
}

TEST(EvalPages, NoThresholdIsTunedOnTheTestPart) {
  const TinyProject project;
  project.with_model();
  const double before = threshold_of(project);
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::vector<std::string>& parts) {
    std::vector<std::string> arguments{"--tune-threshold"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_usage_error(eval_model(project, "eval", arguments), "leaf_eval", parts);
    EXPECT_EQ(threshold_of(project), before);
    EXPECT_FALSE(fs::exists(project / "eval/summary.json"));
  };
  refused({"--split", "test"}, {"--tune-threshold", "test part"});

  // A manifest that has one image in both, under whatever strategy.
  const std::string rows =
      "image,mask,split\nimages/0001.png,masks/0001.png,train\n"
      "images/0002.png,masks/0002.png,validation\nimages/0003.png,masks/0003.png,validation\n"
      "images/0003.png,masks/0003.png,test\nimages/0004.png,masks/0004.png,test\n";
  write_file(project / "parts.csv", rows);
  const std::vector<std::string> manifest{"--set", "data.split.strategy=manifest",
                                          "data.split.manifest=" + project.path("parts.csv")};
  refused(manifest, {"1 of 2 images of the validation part ('0003')", "test part"});

  // The published protocol validates on the test part.
  for (const std::string name : {"0001", "0002", "0003", "0004"}) {
    fs::create_directories(project / "isic/train_Data");
    fs::create_directories(project / "isic/train_GroundTruth");
    data::write_jpeg(project / ("isic/train_Data/ISIC_" + name + ".jpg"),
                     data::read_image(project / ("data/images/" + name + ".png")).rgb);
    fs::copy_file(project / ("data/masks/" + name + ".png"),
                  project / ("isic/train_GroundTruth/ISIC_" + name + "_segmentation.png"));
  }
  refused({"--set", "data.dataset=isic2018", "data.split.strategy=published",
           "data.root=" + project.path("isic")},
          {"images of the validation part", "test part"});
}

}  // namespace leaf
