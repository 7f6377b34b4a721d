#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "support/text.h"
#include "support/volumes.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::run_cpu;

const std::string kClasses = "background=0,disc=100,cup=200";

/// A project whose masks are label maps: 0, 100 in the upper and 200 in the lower part of a target.
struct ClassProject : test::TrainProject {
  ClassProject() {
    for (const fs::path& mask : list_folder(folder / "data/masks")) {
      const at::Tensor target = data::read_mask(mask).ne(0);
      at::Tensor labels = target.to(at::kByte) * 100;
      const std::int64_t half = labels.size(0) / 2;
      labels.narrow(0, half, labels.size(0) - half).mul_(2);
      data::write_png(mask, labels);
    }
  }

  /// Trains as train.yaml says, with classes.
  Outcome train_classes(const std::string& run, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"--set", "data.classes=" + kClasses};
    words.insert(words.end(), more.begin(), more.end());
    return train(run, words);
  }

  Outcome eval_model(const std::string& run, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"--model", path(run), "--config", path("train.yaml")};
    words.insert(words.end(), more.begin(), more.end());
    return run_cpu("leaf_eval", words);
  }

  Outcome eval_masks(const std::string& predictions, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"--predictions", path(predictions), "--ground-truth",
                                   path("truth")};
    words.insert(words.end(), more.begin(), more.end());
    return run_cpu("leaf_eval", words);
  }
};

void expect_refused(const Outcome& outcome, const std::string& part) {
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, part)) << part << " in\n" << outcome.err;
}

std::set<int> values_of(const fs::path& mask) {
  const at::Tensor values = data::read_mask(mask).to(at::kInt).flatten().contiguous();
  return {values.const_data_ptr<int>(), values.const_data_ptr<int>() + values.numel()};
}

/// The cell of an image's row.
std::string cell(const fs::path& csv, std::size_t row, const std::string& column) {
  const auto rows = read_csv(csv);
  const auto& header = rows.front();
  const auto found = std::find(header.begin(), header.end(), column);
  EXPECT_NE(found, header.end()) << column;
  return rows.at(row).at(static_cast<std::size_t>(found - header.begin()));
}

void expect_recorded(const ClassProject& project, const std::string& coding) {
  const auto preprocessing = project.json("run/best/preprocessing.json");
  EXPECT_EQ(preprocessing["classes"],
            (std::vector<std::string>{"background=0", "disc=100", "cup=200"}));
  EXPECT_EQ(preprocessing["class_coding"], coding);
  EXPECT_TRUE(contains(test::metrics(project / "run").back(), "dice_cup"));
}

/// Scores the run into scores/.
void expect_scored(const ClassProject& project) {
  const Outcome scored = project.eval_model(
      "run", {"--output", project.path("scores"), "--overlays", "1", "--report", "--figure"});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  for (const char* part : {"means of the classes: 1 image", ", disc: 1 image", ", cup: 1 image",
                           "at the images' own sizes, cup: 1 image"}) {
    EXPECT_TRUE(contains(scored.out, part)) << part << " in\n" << scored.out;
  }
  const auto scores = project.json("scores/summary.json")["scores"];
  const auto dice = [](const nlohmann::json& of) { return of["dice"]["mean"].get<double>(); };
  const double mean = (dice(scores["classes"]["disc"]) + dice(scores["classes"]["cup"])) / 2;
  EXPECT_NEAR(dice(scores), mean, 1e-9);
  EXPECT_FALSE(cell(project / "scores/scores.csv", 1, "iou_disc").empty());
  EXPECT_GT(data::read_image(project / "scores/overlays/0006.jpg").rgb.size(0), 64);
  EXPECT_TRUE(contains(read_file(project / "scores/report.html"), ", cup: 1 images"));
}

Outcome segment(const ClassProject& project, const std::string& output,
                const std::vector<std::string>& more,
                const std::string& input = "data/images/0006.png") {
  std::vector<std::string> words{"--model",           project.path("run"), "--input",
                                 project.path(input), "--output",          project.path(output)};
  words.insert(words.end(), more.begin(), more.end());
  return run_cpu("leaf_infer", words);
}

/// Segments an image into masks/.
void expect_segmented(const ClassProject& project) {
  const Outcome segmented =
      segment(project, "masks", {"--overlays", "--contours", "--postprocess", "remove-small=1"});
  ASSERT_EQ(segmented.exit_code, 0) << segmented.err;
  for (const int value : values_of(project / "masks/0006.png")) {
    EXPECT_TRUE(value == 0 || value == 100 || value == 200) << value;
  }
  EXPECT_GT(data::read_image(project / "masks/overlays/0006.jpg").rgb.size(0), 64);
  const auto categories = project.json("masks/contours/0006.json")["categories"];
  ASSERT_EQ(categories.size(), 2U);
  EXPECT_EQ(categories[1]["name"], "cup");

  const Outcome in_tiles =
      segment(project, "tiles", {"--tile", "64", "--overlays", "filled", "--contours", "geojson"});
  ASSERT_EQ(in_tiles.exit_code, 0) << in_tiles.err;
  EXPECT_TRUE(data::read_mask(project / "tiles/0006.png")
                  .equal(data::read_mask(project / "masks/0006.png")));
  ASSERT_EQ(segment(project, "small-tiles", {"--tile", "48"}).exit_code, 0);
  EXPECT_EQ(data::read_mask(project / "small-tiles/0006.png").size(0), 64);
  EXPECT_EQ(segment(project, "mean", {"--seeds", "2"}).exit_code, 0);
  expect_refused(segment(project, "staple", {"--seeds", "2", "--ensemble", "staple"}),
                 "the ensemble 'staple' is of two classes; the model has 3");
}

/// A volume's mask that is there stays where the options do not go with the model.
void expect_refusal_that_leaves_masks(const ClassProject& project) {
  test::write_axial(project / "in/v.nii.gz", at::full({2, 32, 32}, 90, at::kByte));
  ASSERT_EQ(segment(project, "volumes", {}, "in").exit_code, 0);
  const std::string mask = read_file(project / "volumes/v.nii.gz");
  expect_refused(segment(project, "volumes", {"--seeds", "2", "--ensemble", "staple"}, "in"),
                 "the ensemble 'staple' is of two classes; the model has 3");
  EXPECT_TRUE(read_file(project / "volumes/v.nii.gz") == mask);
}

/// What was segmented, scored as files, is what the model's own scores say.
void expect_same_scores(const ClassProject& project, const std::string& coding) {
  fs::create_directories(project / "truth");
  fs::copy(project / "data/masks/0006.png", project / "truth/0006.png");
  std::vector<std::string> words{"--classes", kClasses, "--output", project.path("again")};
  if (coding == "channels") {
    words.emplace_back("--nested-classes");
  }
  const Outcome again = project.eval_masks("masks", words);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const Outcome plain = project.eval_model("run", {"--output", project.path("plain")});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_EQ(read_file(project / "again/scores.csv"),
            read_file(project / "plain/scores-native.csv"));
}

}  // namespace

TEST(Classes, AreTrainedScoredAndSegmented) {
  for (const std::string coding : {"colours", "channels"}) {
    const ClassProject project;
    const Outcome trained = project.train_classes("run", {"--set", "data.class_coding=" + coding});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    expect_recorded(project, coding);
    expect_scored(project);
    expect_segmented(project);
    expect_refusal_that_leaves_masks(project);
    expect_same_scores(project, coding);
  }
}

TEST(Classes, APredictionsFolderIsScoredByClass) {
  const ClassProject project;
  at::Tensor truth = at::zeros({8, 8}, at::kByte);
  truth.narrow(0, 0, 4).fill_(100);
  truth.narrow(0, 4, 2).fill_(200);
  at::Tensor prediction = truth.clone();
  prediction.narrow(0, 4, 1).fill_(100);
  data::write_png(project / "truth/a.png", truth);
  data::write_png(project / "found/a.png", prediction);
  const Outcome outcome = project.eval_masks("found", {"--classes", kClasses});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const fs::path csv = project / "found-eval/scores.csv";
  EXPECT_EQ(cell(csv, 1, "dice_disc"), "0.888889");  // 2 * 32 / (32 + 40)
  EXPECT_EQ(cell(csv, 1, "dice_cup"), "0.666667");   // 2 * 8 / (8 + 16)
  EXPECT_EQ(cell(csv, 1, "dice"), "0.777778");
  EXPECT_EQ(project.json("found-eval/summary.json")["classes"],
            "background=0, disc=100, cup=200 as colours");
  const Outcome nested =
      project.eval_masks("found", {"--classes", kClasses, "--nested-classes", "--quiet"});
  ASSERT_EQ(nested.exit_code, 0) << nested.err;
  EXPECT_EQ(cell(csv, 1, "dice_disc"), "1.000000");

  prediction[7][7] = 7;
  data::write_png(project / "found/a.png", prediction);
  test::expect_usage_error(
      project.eval_masks("found", {"--classes", kClasses, "--quiet"}), "leaf_eval",
      {"found/a.png' holds 7 (first in row 7, column 7), which no class has; --classes is "});
}

TEST(Classes, MasksThatDoNotFitAreRefused) {
  const ClassProject project;
  const fs::path mask = project / "data/masks/0001.png";
  at::Tensor labels = data::read_mask(mask).clone();
  labels[3][5] = 7;
  data::write_png(mask, labels);
  expect_refused(project.train_classes("run", {"--dry-run"}),
                 "0001.png' holds 7 (first in row 3, column 5), which no class has; data.classes "
                 "is background=0, disc=100, cup=200");
  EXPECT_EQ(project.train("dry", {"--dry-run", "--set", "data.classes=" + kClasses + ",ignore=7"})
                .exit_code,
            0);
}

TEST(Classes, SettingsThatCannotBeAreRefused) {
  const ClassProject project;
  const auto with = [&](const std::string& classes, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"--set", "data.classes=" + classes};
    words.insert(words.end(), more.begin(), more.end());
    return project.train("run", words);
  };
  expect_refused(with("background=0,a=5,b=5"),
                 "data.classes has the value 5 for 'a' and for 'b'; a value stands for one class");
  expect_refused(with("background=0,a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8"),
                 "data.classes has 9 classes; at most 8");
  expect_refused(with("background=0,a=1,b=2,c=3,d=4", {"--set", "data.class_coding=channels"}),
                 "data.class_coding channels has room for 4 classes");
  expect_refused(with(kClasses, {"--set", "data.ignore_value=7"}), "put ignore=7 there");
  fs::create_directories(project / "truth");
  expect_refused(project.eval_masks("truth", {"--classes", "a,b=1"}),
                 "--classes has no value for 'a', but for others");
  expect_refused(project.eval_masks("truth", {"--classes", kClasses, "--ignore-value", "3"}),
                 "put ignore=3 there");
  EXPECT_FALSE(fs::exists(project / "run"));
}

TEST(Classes, AnEvaluationNeedsTheModelsClasses) {
  const ClassProject project;
  ASSERT_EQ(project.train_classes("run", {"--set", "train.max_train_steps=1"}).exit_code, 0);
  expect_refused(project.eval_model("run", {"--set", "data.classes=background=0,disc=100"}),
                 "data.classes has background, disc, but the model background, disc, cup");
  expect_refused(project.eval_model("run", {"--tune-threshold"}), "the model has 3 classes");
  const Outcome with_other_values = project.eval_model(
      "run", {"--set", "data.classes=background=0,disc=200,cup=100", "--no-native"});
  EXPECT_EQ(with_other_values.exit_code, 0) << with_other_values.err;
}

}  // namespace leaf
