// leaf_infer --watch.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "support/volumes.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_mask;
using test::expect_usage_error;
using test::infer;
using test::phantom;
using test::TinyProject;

/// leaf_infer that watches in/ of a project.
struct Watching {
  explicit Watching(const TinyProject& project, const std::vector<std::string>& more = {})
      : program("leaf_infer", arguments(project, more)) {}

  /// Ends it by a signal.
  test::Outcome end() const {
    program.interrupt();
    return program.wait();
  }

  static std::vector<std::string> arguments(const TinyProject& project,
                                            const std::vector<std::string>& more) {
    std::vector<std::string> words{"--model",   project.path("model"),
                                   "--watch",   project.path("in"),
                                   "--output",  project.path("out"),
                                   "--device",  "cpu",
                                   "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  test::Program program;
};

/// A project whose in/ has one image.
struct OneImage : TinyProject {
  OneImage() {
    with_model();
    data::write_png(folder / "in/first.png", phantom(1, 40, 56));
  }
};

}  // namespace

TEST(InferWatch, SegmentsWhatIsThereAndWhatArrives) {
  const OneImage project;
  const Watching watching(project, {"--overlays"});
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  data::write_png(project / "aside/moved.png", phantom(2, 64, 64));
  fs::rename(project / "aside/moved.png", project / "in/moved.png");
  data::write_png(project / "in/sub/deep/written.png", phantom(3, 30, 90));  // by renaming
  const std::string bytes = read_file(project / "in/first.png");
  std::ofstream(project / "in/copied.png", std::ios::binary) << bytes;
  fs::create_symlink(project / "data/images/0001.png", project / "in/link.png");
  write_file(project / "in/notes.txt", "no image");
  for (const char* name : {"moved.png", "sub/deep/written.png", "copied.png", "link.png"}) {
    EXPECT_TRUE(test::wait_for(project / "out" / name)) << name;
  }
  ASSERT_TRUE(test::wait_for(project / "out/audit.jsonl"));
  const auto outcome = watching.end();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_mask(project / "out/sub/deep/written.png", 30, 90);
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["status"], "complete");
  EXPECT_EQ(summary["totals"]["done"], 5);
  EXPECT_EQ(summary["images"].size(), 5U);
  EXPECT_FALSE(fs::exists(project / "out/notes.png"));
}

TEST(InferWatch, AVolumeBesideAPictureOfItsNameHasAMaskOfItsOwn) {
  const OneImage project;
  const Watching watching(project);
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  test::write_axial(project / "aside/first.nii.gz", at::zeros({1, 32, 32}, at::kFloat));
  fs::rename(project / "aside/first.nii.gz", project / "in/first.nii.gz");
  EXPECT_TRUE(test::wait_for(project / "out/first.nii.gz"));
  const auto outcome = watching.end();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST(InferWatch, ARenamedFolderIsFollowed) {
  const OneImage project;
  fs::create_directories(project / "in/new folder");
  const Watching watching(project);
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  fs::rename(project / "in/new folder", project / "in/p1");
  data::write_png(project / "aside.png", phantom(2, 64, 64));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // both events are taken
  fs::rename(project / "aside.png", project / "in/p1/later.png");
  EXPECT_TRUE(test::wait_for(project / "out/p1/later.png"));
  const auto outcome = watching.end();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST(InferWatch, AFileIsTakenWhenItIsComplete) {
  const OneImage project;
  const Watching watching(project);
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  data::write_png(project / "aside.png", phantom(2, 64, 64));
  const std::string bytes = read_file(project / "aside.png");
  {
    std::ofstream slow(project / "in/slow.png", std::ios::binary);
    slow << bytes.substr(0, bytes.size() / 2) << std::flush;
    data::write_png(project / "in/quick.png", phantom(3, 64, 64));
    ASSERT_TRUE(test::wait_for(project / "out/quick.png"));  // longer than a file is to settle
    EXPECT_FALSE(fs::exists(project / "out/slow.png"));
    slow << bytes.substr(bytes.size() / 2);
  }
  EXPECT_TRUE(test::wait_for(project / "out/slow.png"));
  const auto outcome = watching.end();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("error"), std::string::npos) << outcome.err;
}

TEST(InferWatch, ABrokenImageAndTwoOfOneNameAreFailures) {
  const OneImage project;
  const Watching watching(project);
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  const std::string mask = read_file(project / "out/first.png");
  data::write_jpeg(project / "in/first.jpg", phantom(2, 64, 64));
  write_file(project / "in/broken.png", "this is no picture");
  data::write_png(project / "in/last.png", phantom(3, 64, 64));
  ASSERT_TRUE(test::wait_for(project / "out/last.png"));
  const auto outcome = watching.end();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("in/broken.png"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("first.png' would both write"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("would both write '" + project.path("out/first.png")),
            std::string::npos)
      << outcome.err;
  EXPECT_TRUE(read_file(project / "out/first.png") == mask);
  const std::string audit = read_file(project / "out/audit.jsonl");
  EXPECT_NE(audit.find("would both write"), std::string::npos) << audit;
}

TEST(InferWatch, ResultsBelowTheFolderAreNoArrivals) {
  const OneImage project;
  std::vector<std::string> words = Watching::arguments(project, {"--skip-existing"});
  words[5] = project.path("in/masks");
  const test::Program program("leaf_infer", words);
  ASSERT_TRUE(test::wait_for(project / "in/masks/first.png"));
  data::write_png(project / "in/second.png", phantom(2, 64, 64));
  ASSERT_TRUE(test::wait_for(project / "in/masks/second.png"));
  data::write_png(project / "in/third.png", phantom(3, 64, 64));  // after the masks would be seen
  ASSERT_TRUE(test::wait_for(project / "in/masks/third.png"));
  program.interrupt();
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(project.json("in/masks/summary.json")["images"].size(), 3U);
}

TEST(InferWatch, AFolderThatIsGoneEndsTheWork) {
  const OneImage project;
  const Watching watching(project);
  ASSERT_TRUE(test::wait_for(project / "out/first.png"));
  fs::rename(project / "in", project / "elsewhere");
  const auto outcome = watching.program.wait();
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("the watched folder '" + project.path("in") + "' is gone"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(project.json("out/summary.json")["status"], "failed");
}

TEST(InferWatch, WrongUsageIsOneLine) {
  const OneImage project;
  const auto refused = [&](std::vector<std::string> words, const std::vector<std::string>& parts) {
    words.insert(words.end(), {"--model", project.path("model"), "--quiet"});
    expect_usage_error(test::run_cpu("leaf_infer", words), "leaf_infer", parts);
  };
  const std::string in = project.path("in");
  refused({"--output", project.path("out")}, {"--input", "--watch"});
  refused({"--watch", in, "--input", in, "--output", project.path("out")}, {"--input", "--watch"});
  refused({"--watch", in, "--output", in}, {"watched folder", "--output"});
  refused({"--watch", project.path("none"), "--output", project.path("out")},
          {"no folder", "none"});
}

}  // namespace leaf
