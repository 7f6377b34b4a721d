#include <gtest/gtest.h>

#include <numeric>

#include "leaf/config/load.h"
#include "leaf/core/files.h"
#include "support/small_disk.h"
#include "support/text.h"
#include "train/checkpoint.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::TrainProject;
using Strings = std::vector<std::string>;

/// --resume with --set of each.
Strings resumed(const Strings& settings, Strings more = {}) {
  more.push_back("--resume");
  for (const std::string& setting : settings) {
    more.insert(more.end(), {"--set", setting});
  }
  return more;
}

void flip_last_bit(const fs::path& file) {
  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file(file, bytes);
}

std::uintmax_t bytes_in(const fs::path& folder) {
  const auto files = test::contents(folder);
  return std::accumulate(files.begin(), files.end(), std::uintmax_t{0},
                         [](auto sum, const auto& file) { return sum + file.second.size(); });
}

/// Half a run, whose autoencoder's file then changes; returns its settings.
Strings run_beside_other_weights(const TrainProject& project) {
  project.with_model();
  Strings settings{"model.init=pretrained", "model.pretrained=" + project.path("model"),
                   "alignment.teacher=none"};
  Strings first{"--set", "train.max_train_steps=2"};
  for (const std::string& setting : settings) {
    first.insert(first.end(), {"--set", setting});
  }
  const auto started = project.train("run", first);
  EXPECT_EQ(started.exit_code, 0) << started.err;
  flip_last_bit(project / "model/vae/diffusion_pytorch_model.safetensors");
  return settings;
}

}  // namespace

TEST(Changes, OfWhatIsLearnedAreListedAndRefused) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  auto before = test::contents(project / "run");
  before.erase("log.txt");
  const Strings changes{"seed=7",
                        "data.resolution=32",
                        "diffusion.prediction_type=epsilon",
                        "train.use_ema=false",
                        "train.learning_rate=1e-5",
                        "model.autoencoder.scaling_factor=0.5"};
  test::expect_usage_error(
      project.train("run", resumed(changes, {"--quiet"})), "leaf_train",
      {"the run in '" + project.path("run") + "' was started otherwise: ",
       "seed: 1337 before, now 7; ", "data.resolution: 64 before, now 32",
       "diffusion.prediction_type: sample before, now epsilon", "train.use_ema: true before, now ",
       "train.learning_rate: 0.001 before, now 1e-05", "model.autoencoder.scaling_factor: 0.18215",
       "--allow-changes"});
  auto after = test::contents(project / "run");
  after.erase("log.txt");
  EXPECT_TRUE(after == before);
}

TEST(Changes, AreMadeWhenAllowed) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  const auto outcome =
      project.train("run", resumed({"train.learning_rate=1e-5"}, {"--allow-changes", "--quiet"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "warning: the run goes on otherwise than it was started"));
  EXPECT_TRUE(contains(outcome.err, "train.learning_rate: 0.001 before, now 1e-05\n"));
  EXPECT_EQ(config::load_config(project / "run/config.yaml").train.learning_rate, 1e-5);
  EXPECT_EQ(test::checkpoint_step(project / "run"), 4);
  test::expect_usage_error(project.train("new", {"--allow-changes"}), "leaf_train", {"--resume"});
}

TEST(Changes, OfFrozenWeightsAreRefusedToo) {
  const TrainProject project;
  const Strings settings = run_beside_other_weights(project);
  test::expect_usage_error(project.train("run", resumed(settings, {"--quiet"})), "leaf_train",
                           {"have other weights than when the run", "--allow-changes"});
  const auto allowed = project.train("run", resumed(settings, {"--allow-changes", "--quiet"}));
  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_TRUE(contains(allowed.err, "warning: the networks that do not learn"));
  EXPECT_EQ(test::checkpoint_step(project / "run"), 4);
}

TEST(Changes, OfFrozenWeightsAreAllowedToSeveralProcesses) {
  const TrainProject project;
  const Strings settings = run_beside_other_weights(project);
  const auto two =
      project.train("run", resumed(settings, {"--allow-changes", "--quiet", "--nproc", "2"}));
  EXPECT_EQ(two.exit_code, 0) << two.err;
}

TEST(Changes, OfTheMetricBeginTheSearchForTheBestAnew) {
  const TrainProject project;
  ASSERT_EQ(project
                .train("run", {"--set", "train.max_train_steps=2", "--set",
                               "validation.best_metric=specificity"})
                .exit_code,
            0);
  const auto path = project / "run/checkpoints/step-0000002";
  ASSERT_EQ(read_checkpoint(path).best_metric, "specificity");
  ASSERT_GT(read_checkpoint(path).best_step, 0);
  const auto outcome =
      project.train("run", resumed({"validation.best_metric=iou"}, {"--allow-changes"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "was chosen by specificity of all images")) << outcome.err;
  const Checkpoint end = read_checkpoint(project / "run/checkpoints/step-0000004");
  EXPECT_EQ(end.best_metric, "iou");
  EXPECT_GT(end.best_step, 2);
}

TEST(Changes, ThatAreHarmlessPassWithALine) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole").exit_code, 0);
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  const auto outcome =
      project.train("run", resumed({"data.num_workers=1", "validation.batch_size=3"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err,
                       "info: changed since the run was started: data.num_workers: 2 before, now "
                       "1; train.max_train_steps: 2 before, now 4; validation.batch_size: 16 "
                       "before, now 3\n"))
      << outcome.err;
  test::expect_same_run(project / "whole", project / "run");
}

TEST(Changes, OfARunWhoseConfigurationIsDamagedAreNotGuessed) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  write_file(project / "run/config.yaml", "seed: many\n");
  test::expect_usage_error(project.train("run", {"--resume", "--quiet"}), "leaf_train",
                           {"run/config.yaml:1: seed expects", "--allow-changes"});
  EXPECT_EQ(project.train("run", {"--resume", "--allow-changes"}).exit_code, 0);
}

TEST(Changes, RowsOfAbsentImagesStay) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  const std::string before = read_file(project / "run/split.csv");
  const auto remove = [&](const std::string& name) {
    fs::remove(project / "data/images" / name);
    fs::remove(project / "data/masks" / name);
  };
  remove("0004.png");
  const auto outcome = project.train("run", resumed({"train.max_train_steps=3"}, {"--quiet"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "lists 1 image that is no longer in")) << outcome.err;
  EXPECT_EQ(read_file(project / "run/split.csv"), before);
  for (const char* name : {"0002.png", "0005.png", "0006.png"}) {
    remove(name);
  }
  const auto refused = project.train("run", resumed({}, {"--quiet"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "lists 4 images that are not in '" + project.path("data") +
                                        "', most of the run's; set data.root"))
      << refused.err;
  EXPECT_EQ(read_file(project / "run/split.csv"), before);
}

TEST(DamagedCheckpoint, TheOneBeforeIsContinued) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole", {"--set", "train.max_train_steps=6"}).exit_code, 0);
  ASSERT_EQ(project.train("run").exit_code, 0);
  flip_last_bit(project / "run/checkpoints/step-0000004/weights.safetensors");
  const auto outcome = project.train("run", resumed({"train.max_train_steps=6"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "step-0000004/weights.safetensors' is damaged: its checksum"));
  EXPECT_TRUE(contains(outcome.err, "; taking the checkpoint before it\n")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "continuing after step 2 ")) << outcome.err;
  test::expect_same_run(project / "whole", project / "run");
}

TEST(DamagedCheckpoint, WhereThereIsNoOtherItIsNamed) {
  const TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  flip_last_bit(project / "run/checkpoints/step-0000002/weights.safetensors");
  flip_last_bit(project / "run/checkpoints/step-0000004/optimizer.safetensors");
  const auto outcome = project.train("run", resumed({"train.max_train_steps=6"}, {"--quiet"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_TRUE(contains(outcome.err,
                       "leaf_train: error: '" + project.path("run/checkpoints/step-0000004/"
                                                             "optimizer.safetensors' is damaged")))
      << outcome.err;
}

TEST(FullDisk, SaysWhatToDoAndIsContinued) {
  const TrainProject project;
  ASSERT_EQ(project.train("half", {"--set", "train.max_train_steps=2"}).exit_code, 0);
  ASSERT_EQ(project.train("whole").exit_code, 0);
  // Enough for the files of step 2, and for a second copy of `last`, but for no second checkpoint.
  const std::uintmax_t enough = bytes_in(project / "half");
  const test::SmallDisk disk(project / "disk", enough + enough / 3);
  if (!disk.is_there()) {
    GTEST_SKIP() << "this process may not mount a file system";
  }
  const auto outcome = project.train("disk/run", {"--quiet"});
  test::expect_usage_error(
      outcome, "leaf_train",
      {"cannot write '" + project.path("disk/run/"),
       "No space left on device; free space; then --resume continues after step 2\n"});
  EXPECT_FALSE(contains(outcome.err, ".leaf-tmp-")) << outcome.err;
  EXPECT_NO_THROW(test::expect_intact(project / "disk/run"));
  disk.grow(4 * enough);
  const auto resumed_run = project.train("disk/run", {"--resume"});
  EXPECT_EQ(resumed_run.exit_code, 0) << resumed_run.err;
  test::expect_same_run(project / "whole", project / "disk/run");
}

}  // namespace leaf
