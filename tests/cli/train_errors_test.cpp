#include <gtest/gtest.h>

#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/model.h"
#include "support/images.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::TrainProject;
using Strings = std::vector<std::string>;

/// Expects one line that holds all `parts`, and that no file or folder is left.
void expect_refused(const TrainProject& project, const std::string& run, Strings more,
                    const Strings& parts, const std::string& config = "train.yaml") {
  const auto before = test::contents(project.folder.path());
  more.push_back("--quiet");
  test::expect_usage_error(test::run_program("leaf_train", project.arguments(run, more, config)),
                           "leaf_train", parts);
  EXPECT_FALSE(fs::exists(project / run));
  EXPECT_TRUE(test::contents(project.folder.path()) == before) << parts.front();
}

/// All images that are trained on are in every batch, so that a bad one is met at the first step.
void expect_bad_data(const TrainProject& project, const Strings& parts) {
  expect_refused(project, "runs/new", {"--set", "train.train_batch_size=4"}, parts);
}

/// The arguments for weights from files, and more of --set.
Strings pretrained(const Strings& settings) {
  Strings arguments{"--set", "model.init=pretrained"};
  for (const std::string& setting : settings) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  return arguments;
}

}  // namespace

TEST(TrainErrors, ConfigurationFiles) {
  const TrainProject project;
  const auto expect = [&](const std::string& yaml, const Strings& parts) {
    write_file(project / "bad.yaml", "base: train.yaml\ntrain:\n" + yaml);
    expect_refused(project, "run", {}, parts, "bad.yaml");
  };
  const std::string line3 = project.path("bad.yaml") + ":3: ";
  expect("  learing_rate: 1e-4\n",
         {line3 + "unknown key 'train.learing_rate' (did you mean 'learning_rate'?)"});
  expect("  max_train_steps: many\n",
         {line3 + "train.max_train_steps expects a whole number >= 1, not 'many'"});
  expect("  learning_rate: -1\n", {line3 + "train.learning_rate expects a number > 0, not '-1'"});
  expect("  learning_rate: {a: 1}\n", {line3 + "train.learning_rate expects a number"});
  expect_refused(project, "run", {}, {"cannot read", project.path("nowhere.yaml")}, "nowhere.yaml");
  test::expect_usage_error(test::run_cpu("leaf_train", {}), "leaf_train", {"--config", "--help"});
}

TEST(TrainErrors, Settings) {
  const TrainProject project;
  expect_refused(project, "run", {"--set", "train.learing_rate=1"},
                 {"--set train.learing_rate=1: unknown key", "did you mean 'learning_rate'"});
  expect_refused(project, "run", {"--set", "train.learning_rate"}, {"expects KEY=VALUE"});
  expect_refused(project, "run", {"--set", "train.log_steps=0"},
                 {"train.log_steps expects a whole number >= 1, not '0'"});
  expect_refused(project, "run", {"--set", "data.resolution=72"},
                 {"data.resolution 72 is not a multiple of 16", "use 64 or 80"});
  expect_refused(project, "run", {"--set", "alignment.teacher=vit_tiny"},
                 {"vit_tiny", "vit_tiny_patch16_224"});
}

TEST(TrainErrors, MissingFiles) {
  const TrainProject project;
  expect_refused(project, "run", {"--set", "data.root="}, {"data.root is not set"});
  expect_refused(project, "run", {"--set", "data.root=" + project.path("nowhere")},
                 {"data.root", "nowhere' is not a folder; set data.root"});
  write_file(project / "unset.yaml",
             "base: train.yaml\ndata: {root: \"${LEAF_TEST_UNSET:-nowhere}/x\"}\n");
  expect_refused(
      project, "run", {},
      {project.path("nowhere/x") + "' is not a folder; set LEAF_TEST_UNSET or data.root"},
      "unset.yaml");
  fs::rename(project / "data/masks/0002.png", project / "data/masks/0099.png");
  expect_bad_data(project,
                  {"1 of 6 images have no mask", "images/0002.png", "masks/0002",
                   "1 of 6 masks have no image", "masks/0099.png", "add, remove or rename files"});
  fs::remove_all(project / "data/masks");
  expect_bad_data(project, {"no folder", project.path("data/masks"), "check data.root"});
  fs::remove_all(project / "data/images");
  fs::create_directories(project / "data/masks");
  fs::create_directories(project / "data/images");
  expect_bad_data(project, {"no images", project.path("data/images")});
}

TEST(TrainErrors, UnreadableImages) {
  const TrainProject project;
  const fs::path image = project / "data/images/0003.png";
  const std::string bytes = read_file(image);
  write_file(image, bytes.substr(0, bytes.size() / 2));
  expect_bad_data(project, {"cannot read image '" + image.string(), "truncated", "copy it again"});
  write_file(image, "");
  expect_bad_data(project, {"cannot read image '" + image.string(), "the file is empty"});
  write_file(image, "this is no picture");
  expect_bad_data(project, {"cannot read image '" + image.string(), "not an image"});
  fs::remove(image);
  fs::create_directories(image);
  expect_bad_data(project, {"1 of 6 masks have no image", project.path("data/masks/0003.png")});
}

TEST(TrainErrors, MasksOfAnotherSize) {
  const TrainProject project;
  data::write_png(project / "data/masks/0002.png", test::half_mask(32, 64));
  expect_bad_data(project, {"mask '" + project.path("data/masks/0002.png") + "' is 64x32",
                            "images/0002.png' is 64x64", "resize one of them"});
}

TEST(TrainErrors, SeveralProcesses) {
  const TrainProject project;
  ::setenv("WORLD_SIZE", "2", 1);
  expect_refused(project, "run", {}, {"process 0 of 2", "set MASTER_ADDR and MASTER_PORT"});
  ::unsetenv("WORLD_SIZE");
}

TEST(TrainErrors, TooFewImages) {
  const TrainProject project;
  expect_refused(project, "run", {"--set", "train.train_batch_size=5"},
                 {"4 images", "one batch of 5", "lower train.train_batch_size"});
  expect_refused(project, "run", {"--set", "data.split.validation=5"},
                 {"no images are left to train on", "lower data.split.validation"});
}

TEST(TrainErrors, Weights) {
  const TrainProject project;
  project.with_model();
  const auto expect = [&](const Strings& settings, const Strings& parts) {
    expect_refused(project, "run", pretrained(settings), parts);
  };
  expect({}, {"model.autoencoder.weights: needed", "model.init: random"});
  expect({"model.autoencoder.weights=" + project.path("nowhere.safetensors")},
         {"model.autoencoder.weights: '" + project.path("nowhere.safetensors"), "does not exist",
          "\"Weights\" in README.md"});
  expect({"model.autoencoder.weights=" + project.path("config.yaml")},
         {"cannot read weights", project.path("config.yaml"), "expected a safetensors file"});
  const std::string model = "model.pretrained=" + project.path("model");
  expect({model, "model.unet.model_channels=64"},
         {project.path("model/unet"), "do not fit the model", "of another shape", "instead of"});
  expect({model, "model.autoencoder.ch=64"},
         {project.path("model/vae"), "do not fit the model", "of another shape"});
  expect({model, "alignment.teacher=vit_tiny_patch16_224"},
         {"alignment.weights: needed", "alignment.teacher: none"});
}

TEST(TrainErrors, TheRunFolder) {
  const TrainProject project;
  write_file(project / "file", "");
  expect_refused(project, "file/run", {},
                 {"cannot make the folder", project.path("file/run"), "Not a directory"});
}

TEST(TrainErrors, TenStepsInARowThatAreNotFiniteEndTheRun) {
  const TrainProject project;
  const test::Outcome outcome = project.train(
      "run", {"--quiet", "--set", "train.learning_rate=1e30", "--set", "train.num_warmup_steps=1",
              "--set", "train.max_train_steps=100", "--set", "validation.start_steps=100", "--set",
              "train.checkpoint_steps=1"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("changed no weights"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("and the 9 before it; the images of that step were 000"),
            std::string::npos)
      << outcome.err;
  EXPECT_LE(test::checkpoint_step(project / "run"), 2);  // none of those steps was saved
}

TEST(TrainErrors, ARunWhoseLastStepsAreNotFiniteIsNotDone) {
  const TrainProject project;
  const test::Outcome outcome =
      project.train("run", {"--quiet", "--set", "train.learning_rate=1e30", "--set",
                            "train.num_warmup_steps=1", "--set", "train.max_train_steps=8", "--set",
                            "data.split.validation=0", "--set", "train.checkpoint_steps=1"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("not finite at step 8, which is not saved"), std::string::npos)
      << outcome.err;
  EXPECT_LE(test::checkpoint_step(project / "run"), 2);
}

TEST(TrainErrors, AFailureBetweenStepsSavesWhatWasLearned) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole").exit_code, 0);
  constexpr std::uint64_t kSeed = 1337;  // the default: the second batch of two has order[2]
  const auto order = permutation(4, RandomStream(kSeed, Purpose::kShuffle, 0));
  const std::string name = "data/images/000" + std::to_string(order[2] + 1) + ".png";
  const std::string image = read_file(project / name);
  write_file(project / name, "this is no picture");
  test::expect_usage_error(
      project.train("run", {"--quiet"}), "leaf_train",
      {project.path(name), "not an image", "; then --resume continues after step 1\n"});
  EXPECT_EQ(test::checkpoint_step(project / "run"), 1);
  EXPECT_NO_THROW(load_model(project / "run/last"));
  const auto checkpoints = test::contents(project / "run/checkpoints");
  test::expect_usage_error(project.train("run", {"--resume", "--quiet"}), "leaf_train",
                           {project.path(name), "--resume continues after step 1\n"});
  EXPECT_TRUE(test::contents(project / "run/checkpoints") == checkpoints);
  write_file(project / name, image);
  ASSERT_EQ(project.train("run", {"--resume"}).exit_code, 0);
  test::expect_same_run(project / "whole", project / "run");
}

TEST(TrainErrors, AFailureInValidationIsMadeUpFor) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole").exit_code, 0);
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  const std::string name = "data/images/0005.png";  // of the validation part: met after step 4
  const std::string image = read_file(project / name);
  write_file(project / name, "this is no picture");
  test::expect_usage_error(project.train("run", {"--resume", "--quiet"}), "leaf_train",
                           {project.path(name), "not an image", "continues after step 4"});
  test::expect_intact(project / "run");
  EXPECT_EQ(test::checkpoint_step(project / "run"), 4);
  write_file(project / name, image);
  ASSERT_EQ(project.train("run", {"--resume"}).exit_code, 0);
  test::expect_same_run(project / "whole", project / "run");
}

}  // namespace leaf
