#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "support/exif_bytes.h"
#include "support/images.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_mask;
using test::expect_usage_error;
using test::infer;
using test::phantom;
using test::run_cpu;
using test::TinyProject;

}  // namespace

TEST(Infer, HelpAndVersion) {
  test::expect_help("leaf_infer", {"--model",       "--input",       "--output",
                                   "--output-size", "=original",     "--seed",
                                   "--noise",       "=normal",       "--num-inference-steps",
                                   "--max-pixels",  "=100000000",    "--batch-size",
                                   "--seeds",       "--postprocess", "--probabilities",
                                   "--contours",    "--overlays",    "--skip-existing",
                                   "--recursive",   "--device",      "--precision",
                                   "--threads",     "--watch",       "--ensemble",
                                   "=mean",         "--tile",        "--tile-overlap",
                                   "=0.5",          "--labels",      "--run-ahead"});
}

TEST(Infer, FoldersBelowAreLeftOutWhereThatIsAskedFor) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  data::write_png(project / "in/sub/b.png", phantom(2, 40, 56));
  const auto outcome = infer(project, {"in"}, "out", {"--no-recursive"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(project / "out/a.png"));
  EXPECT_FALSE(fs::exists(project / "out/sub"));
}

TEST(Infer, WritesOneMaskPerImageAndNamesTheBroken) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  data::write_jpeg(project / "in/b.jpg", phantom(2, 90, 30));
  data::write_png(project / "in/sub/c.d.png", phantom(3, 64, 64));
  write_file(project / "in/broken.png", "this is no picture");
  fs::create_directories(project / "in/folder.png");
  const auto outcome = infer(project, {"in"}, "out");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("error: cannot read image '" + project.path("in/broken.png")),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("info: 3 images segmented, 1 failed; masks and summary.json are in '" +
                             project.path("out") + "'\n"),
            std::string::npos)
      << outcome.err;
  expect_mask(project / "out/a.png", 40, 56);
  expect_mask(project / "out/b.png", 90, 30);
  expect_mask(project / "out/sub/c.d.png", 64, 64);
  EXPECT_FALSE(fs::exists(project / "out/broken.png"));

  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["status"], "complete");
  EXPECT_EQ(summary["model"], project.path("model"));
  EXPECT_EQ(summary["options"]["mask_orientation"], "stored");
  EXPECT_EQ(summary["totals"]["done"], 3);
  EXPECT_EQ(summary["totals"]["failed"], 1);
  EXPECT_GT(summary["totals"]["time_to_first_mask_seconds"], summary["totals"]["load_seconds"]);
  ASSERT_EQ(summary["images"].size(), 4U);
  const auto& first = summary["images"][0];
  EXPECT_EQ(first["input"], project.path("in/a.png"));
  EXPECT_EQ(first["output"], project.path("out/a.png"));
  EXPECT_EQ(first["height"], 40);
  EXPECT_EQ(first["width"], 56);
  const double share =
      data::read_mask(project / "out/a.png").ne(0).to(at::kDouble).mean().item<double>();
  EXPECT_NEAR(first["foreground_fraction"], share, 1e-9);
  EXPECT_EQ(summary["images"][2]["input"], project.path("in/broken.png"));
  EXPECT_NE(summary["images"][2]["error"], "");
}

TEST(Infer, RunningAheadChangesNoMaskAndNoOrder) {
  const TinyProject project;
  project.with_model();
  for (int i = 0; i < 5; ++i) {
    data::write_png(project / ("in/" + std::to_string(i) + ".png"), phantom(i, 40, 56));
  }
  write_file(project / "in/2.png", "this is no picture");
  EXPECT_EQ(infer(project, {"in"}, "turns", {"--batch-size", "2"}).exit_code, 1);
  EXPECT_EQ(infer(project, {"in"}, "ahead", {"--batch-size", "2", "--run-ahead"}).exit_code, 1);
  const auto images = project.json("ahead/summary.json")["images"];
  ASSERT_EQ(images.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string mask = std::to_string(i) + ".png";
    EXPECT_EQ(images[i]["input"], project.path("in/" + mask));
    ASSERT_EQ(fs::exists(project / ("ahead/" + mask)), i != 2);
    if (i != 2) {
      EXPECT_EQ(read_file(project / ("ahead/" + mask)), read_file(project / ("turns/" + mask)));
    }
  }
}

TEST(Infer, BracketsInAPathAreNoList) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "P001/a.png", phantom(1, 40, 56));
  data::write_png(project / "[P001]/b.png", phantom(2, 40, 56));
  const fs::path here = fs::current_path();
  fs::current_path(project.folder.path());  // a word that starts with the bracket
  const auto outcome =
      run_cpu("leaf_infer", {"--model", "model", "--input", "[P001]", "--output", "[out]"});
  fs::current_path(here);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(project / "[out]/b.png"));
  EXPECT_FALSE(fs::exists(project / "[out]/a.png"));
}

TEST(Infer, SaysWhatIsNoImageAndLeavesEarlierResultsAlone) {
  const TinyProject project;
  project.with_model();
  data::write_jpeg(project / "in/a.jpg", phantom(1, 40, 56));
  write_file(project / "in/b.gif", "GIF89a");
  ASSERT_EQ(infer(project, {"in"}, "in/first", {"--overlays"}).exit_code, 0);
  const auto second = infer(project, {"in"}, "in", {"--overlays", "--probabilities"});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.err.find("warning: 1 file in '" + project.path("in") +
                            "' is no image that leaf reads and is passed over: 1 .gif\n"),
            std::string::npos)
      << second.err;
  EXPECT_NE(second.err.find("warning: earlier results are passed over: '" +
                            project.path("in/first") + "'\n"),
            std::string::npos)
      << second.err;
  EXPECT_EQ(project.json("in/summary.json")["images"].size(), 1U);
  // Now masks and pictures lie among the images themselves.
  const auto third = infer(project, {"in"}, "out");
  ASSERT_EQ(third.exit_code, 0) << third.err;
  ASSERT_EQ(project.json("out/summary.json")["images"].size(), 1U);
  EXPECT_EQ(project.json("out/summary.json")["images"][0]["input"], project.path("in/a.jpg"));
}

TEST(Infer, MasksFitTheStoredPixelsOfTurnedPhotographs) {
  const TinyProject project;
  project.with_model();
  data::write_jpeg(project / "stored.jpg", phantom(4, 48, 80), 95);
  for (const unsigned orientation : {3U, 6U}) {
    const std::string turned = "turned" + std::to_string(orientation);
    write_file(project / (turned + ".jpg"),
               test::with_exif(read_file(project / "stored.jpg"), orientation, true));
    const at::Tensor displayed = data::read_image(project / (turned + ".jpg")).rgb;
    data::write_png(project / "upright.png", displayed);
    // Two names, two draws: without a draw the masks can be compared.
    ASSERT_EQ(
        infer(project, {turned + ".jpg", "upright.png"}, "out", {"--noise", "zeros"}).exit_code, 0);
    expect_mask(project / "out" / (turned + ".png"), 48, 80);
    const at::Tensor upright = data::read_mask(project / "out/upright.png");
    EXPECT_TRUE(data::undo_orientation(upright, static_cast<int>(orientation))
                    .equal(data::read_mask(project / "out" / (turned + ".png"))));
  }
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["images"][0]["height"], 48);
  EXPECT_EQ(summary["images"][0]["width"], 80);
}

TEST(Infer, TheIntensityOfTheModelIsAppliedAndANarrowSpanIsSaidOnce) {
  const TinyProject project;
  project.with_model();
  const fs::path narrow = fs::path(LEAF_FIXTURES) / "data/labels16.png";  // 16 bits, 0 to 3
  write_file(project / "in/a.png", read_file(narrow));
  write_file(project / "in/b.png", read_file(narrow));
  const auto full = infer(project, {"in"}, "full");
  EXPECT_EQ(full.exit_code, 0) << full.err;
  const std::size_t said = full.err.find("uses the values 0 to 3 of 65535");
  EXPECT_NE(said, std::string::npos) << full.err;
  EXPECT_EQ(full.err.find("uses the values", said + 1), std::string::npos) << full.err;

  auto preprocessing = project.json("model/preprocessing.json");
  EXPECT_EQ(preprocessing["intensity"], "full");
  preprocessing["intensity"] = "range";
  write_file(project / "model/preprocessing.json", preprocessing.dump());
  const at::Tensor grey = data::read_mask(narrow).mul(85);
  data::write_png(project / "stretched/a.png", grey);
  const auto range = infer(project, {"in"}, "range");
  EXPECT_EQ(range.err.find("uses the values"), std::string::npos) << range.err;
  ASSERT_EQ(infer(project, {"stretched"}, "stretched-range").exit_code, 0);
  EXPECT_TRUE(read_file(project / "range/a.png") == read_file(project / "stretched-range/a.png"));
}

TEST(Infer, AMaskDependsOnItsImageAlone) {
  const TinyProject project(3, 72);
  project.with_model();
  const std::string one = "data/images/0001.png";
  const std::string two = "data/images/0002.png";
  const std::string three = "data/images/0003.png";
  ASSERT_EQ(infer(project, {"data/images"}, "all").exit_code, 0);
  ASSERT_EQ(infer(project, {three, two, one}, "reversed").exit_code, 0);
  ASSERT_EQ(infer(project, {two}, "alone").exit_code, 0);
  ASSERT_EQ(infer(project, {"data/images"}, "batch", {"--batch-size", "2"}).exit_code, 0);
  const std::string mask = read_file(project / "all/0002.png");
  EXPECT_TRUE(read_file(project / "reversed/0002.png") == mask);
  EXPECT_TRUE(read_file(project / "alone/0002.png") == mask);
  EXPECT_FALSE(read_file(project / "all/0001.png") == mask);
  const at::Tensor differs =
      data::read_mask(project / "batch/0002.png").ne(data::read_mask(project / "all/0002.png"));
  EXPECT_LT(differs.to(at::kDouble).mean().item<double>(), 0.002);
}

TEST(Infer, AnotherDecodersGreyLevelsAndAnotherFolderChangeNoDraw) {
  const TinyProject project;
  project.with_model();
  const at::Tensor rgb = phantom(1, 64, 64);
  data::write_png(project / "in/a.png", rgb);
  at::Tensor other = rgb.clone();
  other[0][0][0].add_(other[0][0][0].item<int>() < 255 ? 1 : -1);
  data::write_png(project / "other/sub/a.png", other);
  data::write_png(project / "in/copy.png", rgb);
  ASSERT_EQ(infer(project, {"in", "other"}, "out", {"--probabilities"}).exit_code, 0);
  const auto probability = [&](const std::string& name) {
    return data::read_mask(project / "out/probabilities" / name).to(at::kInt);
  };
  const auto difference = [&](const std::string& name) {
    return (probability("a.png") - probability(name)).abs().max().item<int>();
  };
  EXPECT_LE(difference("sub/a.png"), 2);
  EXPECT_GT(difference("copy.png"), 2);  // another name is another draw
  EXPECT_EQ(project.json("out/summary.json")["options"]["noise"], "normal");
  ASSERT_EQ(infer(project, {"in"}, "zeros", {"--noise", "zeros"}).exit_code, 0);
  EXPECT_TRUE(read_file(project / "zeros/a.png") == read_file(project / "zeros/copy.png"));
  EXPECT_EQ(project.json("zeros/summary.json")["options"]["noise"], "zeros");
  expect_usage_error(infer(project, {"in"}, "none", {"--noise", "none"}), "leaf_infer",
                     {"--noise", "zeros"});
}

TEST(Infer, ModelSizeProbabilitiesAndOverlays) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/sub/a.png", phantom(1, 40, 56));
  ASSERT_EQ(infer(project, {"in"}, "small", {"--output-size", "model"}).exit_code, 0);
  expect_mask(project / "small/sub/a.png", 64, 64);
  ASSERT_EQ(infer(project, {"in"}, "out", {"--probabilities", "--overlays"}).exit_code, 0);
  EXPECT_EQ(data::read_mask(project / "out/probabilities/sub/a.png").sizes(),
            (std::vector<std::int64_t>{40, 56}));
  EXPECT_EQ(data::size_of(data::read_image(project / "out/overlays/sub/a.jpg").rgb),
            (data::ImageSize{40, 56}));
}

TEST(Infer, SaysThatEarlierResultsAreReplaced) {
  const TinyProject project;
  project.with_model();
  const std::string notice = "info: replacing earlier results in '" + project.path("out") + "'\n";
  const auto first = infer(project, {"data/images"}, "out");
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_EQ(first.err.find(notice), std::string::npos) << first.err;
  EXPECT_NE(first.err.find("info: 4 images segmented; "), std::string::npos) << first.err;
  EXPECT_EQ(first.err.find("failed"), std::string::npos) << first.err;
  write_file(project / "out/0001.png", "earlier");
  const auto second = infer(project, {"data/images"}, "out");
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_NE(second.err.find(notice), std::string::npos) << second.err;
  expect_mask(project / "out/0001.png", 64, 64);
  EXPECT_EQ(second.err.find("earlier call left"), std::string::npos) << second.err;
}

TEST(Infer, SaysWhichFilesOfAnEarlierCallStay) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images/0001.png"}, "out", {"--overlays", "outline", "--labels"})
                .exit_code,
            0);
  const auto outcome = infer(project, {"data/images/0001.png"}, "out", {"--labels"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("warning: 'overlays' in '" + project.path("out") +
                             "' are of an earlier call"),
            std::string::npos)
      << outcome.err;
}

TEST(Infer, NothingOfAnEarlierCallStaysBesideAFailedImage) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images/0001.png"}, "out", {"--overlays", "outline"}).exit_code,
            0);
  ASSERT_TRUE(fs::exists(project / "out/overlays/0001.jpg"));
  write_file(project / "data/images/0001.png", "no picture");
  const auto outcome = infer(project, {"data/images/0001.png"}, "out", {"--overlays", "outline"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("its earlier mask was removed"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(project / "out/0001.png"));
  EXPECT_FALSE(fs::exists(project / "out/overlays/0001.jpg"));
}

TEST(Infer, AnInterruptSavesTheSummary) {
  const TinyProject project;
  project.with_model();
  constexpr std::size_t kImages = 1000;
  for (std::size_t i = 0; i < kImages; ++i) {
    fs::create_directories(project / "in");
    fs::create_hard_link(project / "data/images/0001.png",
                         project / "in" / (std::to_string(i) + ".png"));
  }
  const test::Program program(
      "leaf_infer", {"--model", project.path("model"), "--input", project.path("in"), "--output",
                     project.path("out"), "--threads", "1"});
  for (int i = 0; i < 2000 && !fs::exists(project / "out/0.png"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  program.interrupt();
  EXPECT_EQ(program.wait().exit_code, 130);
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["status"], "interrupted");
  EXPECT_GE(summary["images"].size(), 1U);
  EXPECT_LT(summary["images"].size(), kImages);
  for (const auto& image : summary["images"]) {
    EXPECT_TRUE(fs::exists(image["output"].get<std::string>()));
  }
}

TEST(Infer, MemoryDoesNotGrowWithTheNumberOfImages) {
  const TinyProject project;
  project.with_model();
  constexpr int kImages = 500;
  fs::create_directories(project / "in");
  for (int i = 0; i < kImages; ++i) {
    fs::create_hard_link(project / "data/images/0001.png",
                         project / "in" / (std::to_string(i) + ".png"));
  }
  const test::Program program(
      "leaf_infer", {"--model", project.path("model"), "--input", project.path("in"), "--output",
                     project.path("out"), "--device", "cpu", "--threads", "1"});
  ASSERT_TRUE(test::wait_for(project / "out/150.png"));
  const std::size_t early = program.resident_bytes();
  std::size_t late = early;
  for (std::size_t now = early; now > 0; now = program.resident_bytes()) {
    late = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(program.wait().exit_code, 0);
  EXPECT_LT(static_cast<double>(late), 1.05 * static_cast<double>(early));
}

}  // namespace leaf
