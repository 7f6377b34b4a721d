#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf_demo_data/phantom.h"
#include "support/images.h"
#include "support/small_disk.h"
#include "support/text.h"
#include "tiny_project.h"

// Files and surroundings that nobody means well with, for the programs in general.
namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::expect_usage_error;
using test::TinyProject;
using Strings = std::vector<std::string>;

test::Outcome infer(const TinyProject& project, const std::string& input, Strings more = {}) {
  more.insert(more.end(), {"--model", project.path("model"), "--input", project.path(input),
                           "--output", project.path("out")});
  return test::run_cpu("leaf_infer", more);
}

/// Runs a bash script in which PROGRAM and its arguments stand for a program of ours.
int bash(const TinyProject& project, std::string script) {
  const std::string programs = "\"" LEAF_BIN_DIR "\"/leaf_";
  for (auto at = script.find("leaf_"); at != std::string::npos;
       at = script.find("leaf_", at + programs.size())) {
    script.replace(at, 5, programs);
  }
  write_file(project / "script", script);
  return WEXITSTATUS(std::system(("bash " + project.path("script")).c_str()));
}

}  // namespace

TEST(HostileFiles, PipesAndDevicesAreNotRead) {
  const TinyProject project;
  const auto expect = [&](const std::string& name) {
    for (const bool endless : {false, true}) {
      const fs::path file = project / name;
      const std::string before = fs::exists(file) ? read_file(file) : "";
      fs::remove(file);
      if (endless) {
        fs::create_symlink("/dev/zero", file);
      } else {
        ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
      }
      expect_usage_error(
          test::run_cpu("leaf_train", {"--config", project.path("config.yaml"), "--set",
                                       "train.train_batch_size=1", "--dry-run", "--quiet"}),
          "leaf_train", {file.string(), "it is not a regular file"});
      fs::remove(file);
      write_file(file, before);
    }
  };
  expect("config.yaml");
  expect("data/images/0001.png");
  expect("data/masks/0001.png");
}

TEST(HostileFiles, AModelFolderIsNotBelieved) {
  const TinyProject project;
  project.with_model();
  const auto expect = [&](const std::string& file, const std::string& key,
                          const std::string& value) {
    const fs::path path = project / "model" / file;
    const std::string content = read_file(path);
    auto changed = nlohmann::json::parse(content);
    changed[key] = nlohmann::json::parse(value);
    write_file(path, changed.dump());
    expect_usage_error(infer(project, "data/images", {"--quiet"}), "leaf_infer",
                       {project.path("model"), key, file.substr(0, file.find('/'))});
    write_file(path, content);
  };
  expect("unet/config.json", "channel_mult", "[]");
  expect("unet/config.json", "num_heads", "0");
  expect("preprocessing.json", "threshold", "2");
  expect("preprocessing.json", "resolution", "-1");
  expect("vae/config.json", "scaling_factor", "0");
}

TEST(HostileFiles, NamesReachTerminalsAndTablesTamed) {
  const TinyProject project;
  project.with_model();
  write_file(project / "in/\x1b[2Ja\nb.png", "this is no picture");
  const auto outcome = infer(project, "in");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(contains(outcome.err, "/in/\\x1b[2Ja\\nb.png': not an image")) << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "\x1b"));
  data::write_png(project / "predicted/=1+1.png", test::half_mask(8, 8));
  data::write_png(project / "truth/=1+1.png", test::half_mask(8, 8));
  const auto scored =
      test::run_cpu("leaf_eval", {"--predictions", project.path("predicted"), "--ground-truth",
                                  project.path("truth"), "--output", project.path("scores")});
  EXPECT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_TRUE(contains(read_file(project / "scores/scores.csv"), "\n'=1+1,1.000000,"));
}

TEST(HostileFiles, LeftoversOfAKilledProgramGo) {
  const TinyProject project;
  project.with_model();
  for (const char* left : {"out/.leaf-tmp-1", "out/overlays/.leaf-tmp-2"}) {
    write_file(project / left, "half a mask");
  }
  EXPECT_EQ(infer(project, "data/images").exit_code, 0);
  EXPECT_FALSE(fs::exists(project / "out/.leaf-tmp-1"));
  EXPECT_FALSE(fs::exists(project / "out/overlays/.leaf-tmp-2"));
}

TEST(ClosedOutput, DoesNotStopTheSaving) {
  const TinyProject project;
  project.with_model();
  const std::string eval = "leaf_eval --device cpu --threads 1 --model " + project.path("model") +
                           " --config " + project.path("config.yaml") + " --output ";
  EXPECT_EQ(bash(project, eval + project.path("pipe") + " 2>&1 | true; exit ${PIPESTATUS[0]}"), 0);
  EXPECT_TRUE(fs::exists(project / "pipe/summary.json"));
  const std::string folder = project.path("hangup");
  EXPECT_EQ(bash(project, eval + folder + " >/dev/null 2>&1 & while [ ! -d " + folder +
                              " ]; do sleep 0.01; done; kill -HUP $!; wait $!"),
            0);
  EXPECT_TRUE(fs::exists(project / "hangup/summary.json"));
  EXPECT_EQ(bash(project, "leaf_convert inspect --depth 0 " + project.path("model") +
                              " | true; exit ${PIPESTATUS[0]}"),
            0);
}

TEST(FullDisk, InferenceSaysHowToGoOn) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", apps::make_phantom(64, 7, 1).image);
  data::write_png(project / "in/b.png", test::picture(400, 400));  // its overlay is large
  const test::SmallDisk disk(project / "out", 64 << 10);
  if (!disk.is_there()) {
    GTEST_SKIP() << "this process may not mount a file system";
  }
  expect_usage_error(infer(project, "in", {"--overlays", "--quiet", "--batch-size", "1"}),
                     "leaf_infer",
                     {"cannot write '" + project.path("out/overlays/b.jpg"),
                      "No space left on device; free space, then go on with --skip-existing\n"});
  disk.grow(64 << 20);
  EXPECT_EQ(infer(project, "in", {"--overlays", "--skip-existing"}).exit_code, 0);
}

}  // namespace leaf
