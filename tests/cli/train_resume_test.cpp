#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "common/exit_code.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/folder_lock.h"
#include "leaf/pipeline/model.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::TrainProject;

/// --set train.max_train_steps=STEPS and more.
std::vector<std::string> up_to(std::int64_t steps, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--set", "train.max_train_steps=" + std::to_string(steps)});
  return more;
}

/// What a refused start may not change: everything but log.txt.
std::map<std::string, std::string> kept(const fs::path& run) {
  auto files = test::contents(run);
  files.erase("log.txt");
  return files;
}

}  // namespace

TEST(Resume, IsExact) {
  const TrainProject project;
  std::vector<std::string> more{"--set", "alignment.teacher=vit_tiny_patch16_224"};
  more.insert(more.end(), {"--set", "alignment.projector_dim=64"});
  more.insert(more.end(), {"--set", "train.gradient_accumulation_steps=2"});
  more.insert(more.end(), {"--set", "train.num_warmup_steps=3"});
  ASSERT_EQ(project.train("whole", up_to(4, more)).exit_code, 0);
  const std::string config = read_file(project / "whole/config.yaml");
  EXPECT_NE(config.find("dropout: 0.2"), std::string::npos);

  ASSERT_EQ(project.train("parts", up_to(2, more)).exit_code, 0);
  more.push_back("--resume");
  const auto resumed = project.train("parts", up_to(4, more));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("continuing after step 2"), std::string::npos) << resumed.err;
  test::expect_same_run(project / "whole", project / "parts");
  test::expect_intact(project / "parts");
}

TEST(Resume, IsExactBetweenTwoLogs) {
  const TrainProject project;
  const auto logged = [](std::int64_t steps, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--set", "train.log_steps=3"});
    return up_to(steps, more);
  };
  constexpr std::int64_t kSteps = 2000;
  const test::Program program("leaf_train", project.arguments("parts", logged(kSteps)));
  EXPECT_TRUE(test::wait_for(project / "parts/checkpoints/step-0000002/state.json"));
  program.interrupt();
  EXPECT_EQ(program.wait().exit_code, apps::kExitInterrupted);
  const std::int64_t step = test::checkpoint_step(project / "parts");
  ASSERT_LT(step, kSteps);
  ASSERT_EQ(project.train("parts", logged(step + 2, {"--resume"})).exit_code, 0);
  ASSERT_EQ(project.train("whole", logged(step + 2)).exit_code, 0);
  test::expect_same_run(project / "whole", project / "parts");
}

TEST(Resume, FromACheckpointBetweenTwoLogsIsExact) {
  const TrainProject project;
  const auto logged = [](std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "train.log_steps=6", "--set", "train.checkpoint_steps=2"});
    return up_to(6, more);
  };
  ASSERT_EQ(project.train("whole", logged({})).exit_code, 0);
  fs::copy(project / "whole", project / "parts", fs::copy_options::recursive);
  fs::remove_all(project / "parts/checkpoints/step-0000006");
  ASSERT_EQ(project.train("parts", logged({"--resume"})).exit_code, 0);
  test::expect_same_run(project / "whole", project / "parts");
}

TEST(Resume, OfANewFolderIsAStartWhoseInterruptNamesTheSameCommand) {
  const TrainProject project;
  const test::Program program("leaf_train", project.arguments("run", up_to(2000, {"--resume"})));
  EXPECT_TRUE(test::wait_for(project / "run/checkpoints/step-0000002/state.json"));
  program.interrupt();
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, apps::kExitInterrupted) << outcome.err;
  EXPECT_NE(outcome.err.find("; saved; the same command goes on\n"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(outcome.err.find("--resume"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("no checkpoint"), std::string::npos) << outcome.err;
}

TEST(Train, ARecordedStepIsTheStep) {
  const TrainProject project;
  const std::vector<std::string> teacher{"--set", "alignment.teacher=vit_tiny_patch16_224", "--set",
                                         "alignment.projector_dim=64"};
  std::vector<std::string> recorded = teacher;
  recorded.insert(recorded.end(), {"--set", "train.cuda_graph=true"});
  ASSERT_EQ(project.train("plain", up_to(4, teacher)).exit_code, 0);
  ASSERT_EQ(project.train("recorded", up_to(4, recorded)).exit_code, 0);
  test::expect_same_run(project / "plain", project / "recorded");
}

TEST(Resume, AfterAKillIsExact) {
  const TrainProject project;
  constexpr std::int64_t kSteps = 20;
  ASSERT_EQ(project.train("whole", up_to(kSteps)).exit_code, 0);

  const test::Program program("leaf_train", project.arguments("parts", up_to(kSteps)));
  EXPECT_TRUE(test::wait_for(project / "parts/checkpoints/step-0000002/state.json"));
  program.kill();
  EXPECT_EQ(program.wait().exit_code, 128 + SIGKILL);
  write_file(project / "parts/.leaf-tmp-1/vae/config.json", "half-wri");
  write_file(project / "parts/checkpoints/.leaf-tmp-1/state.json", "");

  const auto resumed = project.train("parts", up_to(kSteps, {"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("continuing after step "), std::string::npos) << resumed.err;
  test::expect_same_run(project / "whole", project / "parts");
  test::expect_intact(project / "parts");
}

TEST(Resume, CtrlCSavesAndIsContinued) {
  const TrainProject project;
  constexpr std::int64_t kSteps = 500;
  const std::vector<std::string> every_step{"--set", "validation.start_steps=1", "--set",
                                            "validation.steps=1"};
  const test::Program program("leaf_train", project.arguments("run", up_to(kSteps, every_step)));
  EXPECT_TRUE(test::wait_for(project / "run/checkpoints/step-0000002/state.json"));
  program.interrupt();
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, apps::kExitInterrupted) << outcome.err;
  const std::int64_t step = test::checkpoint_step(project / "run");
  ASSERT_GE(step, 2);
  ASSERT_LT(step, kSteps);
  EXPECT_NE(outcome.err.find("interrupted after step " + std::to_string(step)), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("--resume"), std::string::npos) << outcome.err;
  EXPECT_NO_THROW(load_model(project / "run/last"));

  std::vector<std::string> more = every_step;
  more.push_back("--resume");
  const auto resumed = project.train("run", up_to(step + 1, more));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  test::expect_intact(project / "run");
  EXPECT_EQ(test::checkpoint_step(project / "run"), step + 1);
  std::map<std::string, std::int64_t> done;  // steps by phase, none of them lost
  for (const std::string& line : test::metrics(project / "run")) {
    const auto entry = nlohmann::json::parse(line);
    EXPECT_EQ(entry["step"].get<std::int64_t>(), ++done[entry["phase"].get<std::string>()]) << line;
  }
  EXPECT_EQ(done["train"], step + 1);
  EXPECT_EQ(done["validation"], step + 1);
}

TEST(Resume, WithoutACheckpointStartsAtTheFirstStepAndSaysSo) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole").exit_code, 0);
  ASSERT_EQ(project.train("run", up_to(2)).exit_code, 0);
  fs::remove_all(project / "run/checkpoints");
  const auto resumed = project.train("run", {"--resume", "--quiet"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(resumed.err, "warning: no checkpoint in '" + project.path("run/checkpoints") +
                             "', starting at step 0\n");
  test::expect_same_run(project / "whole", project / "run");
}

TEST(Resume, TheRunKeepsItsDivision) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", up_to(2)).exit_code, 0);
  const std::string before = read_file(project / "run/split.csv");
  // Before all others: divided anew, every part would move by one.
  fs::copy_file(project / "data/images/0001.png", project / "data/images/0000.png");
  fs::copy_file(project / "data/masks/0001.png", project / "data/masks/0000.png");
  const auto resumed = project.train("run", {"--resume", "--quiet"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("leaves out 1 image in "), std::string::npos) << resumed.err;
  EXPECT_EQ(read_file(project / "run/split.csv"), before);
  const auto scored = test::run_cpu(
      "leaf_eval", {"--model", project.path("run"), "--config", project.path("train.yaml"),
                    "--split", "test", "--output", project.path("scores")});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_NE(read_file(project / "scores/scores.csv").find("0006"), std::string::npos);
}

TEST(Resume, AFinishedRunStaysAsItIs) {
  const TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  const auto before = test::contents(project / "run/last");
  const auto again = project.train("run", {"--resume"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find("run/last (step 4)"), std::string::npos) << again.out;
  EXPECT_TRUE(test::contents(project / "run/last") == before);
  EXPECT_EQ(test::metrics(project / "run").size(), 6U);
}

TEST(Resume, AnExistingRunIsRefusedWithoutIt) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", up_to(2)).exit_code, 0);
  const auto before = test::contents(project / "run");
  test::expect_usage_error(project.train("run"), "leaf_train",
                           {project.path("run"), "exists already", "--resume"});
  EXPECT_TRUE(test::contents(project / "run") == before);
}

TEST(Resume, TwoProgramsDoNotTrainIntoOneFolder) {
  const TrainProject project;
  EXPECT_EQ(project.train("run").exit_code, 0);
  const auto before = test::contents(project / "run");
  {
    const FolderLock other(project / "run");
    test::expect_usage_error(project.train("run", {"--resume", "--quiet"}), "leaf_train",
                             {"another program is writing into '" + project.path("run")});
    EXPECT_TRUE(test::contents(project / "run") == before);
  }
  EXPECT_EQ(project.train("run", {"--resume", "--quiet"}).exit_code, 0);
}

TEST(Resume, WhatDoesNotFitLeavesTheRunAlone) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", up_to(2)).exit_code, 0);
  const auto before = kept(project / "run");
  const auto refused = [&](const std::string& setting, const std::vector<std::string>& parts) {
    test::expect_usage_error(project.train("run", up_to(4, {"--resume", "--allow-changes",
                                                            "--quiet", "--set", setting})),
                             "leaf_train", parts);
    EXPECT_TRUE(kept(project / "run") == before) << setting;
  };
  refused("model.unet.model_channels=64",
          {"run/checkpoints/step-0000002", "do not fit the model", "of another shape",
           "use the configuration of that run"});
  refused("train.train_batch_size=5", {"4 images", "lower train.train_batch_size"});
  refused("data.root=" + project.path("nowhere"), {"nowhere' is not a folder"});
}

TEST(Resume, DamagedFilesAreNamed) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", up_to(2)).exit_code, 0);
  const fs::path weights = project / "run/checkpoints/step-0000002/weights.safetensors";
  const std::string bytes = read_file(weights);
  write_file(weights, bytes.substr(0, bytes.size() / 2));
  test::expect_usage_error(project.train("run", up_to(4, {"--resume", "--quiet"})), "leaf_train",
                           {weights.string(), "is damaged: its checksum is"});
  write_file(weights, bytes);
  fs::remove(project / "run/log.txt");
  fs::create_directories(project / "run/log.txt");
  test::expect_usage_error(project.train("run", up_to(4, {"--resume", "--quiet"})), "leaf_train",
                           {"run/log.txt"});
}

TEST(Resume, AFullDiskLeavesTheOlderCheckpoint) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole").exit_code, 0);
  ASSERT_EQ(project.train("parts", up_to(2)).exit_code, 0);
  const auto checkpoints = test::contents(project / "parts/checkpoints");
  const auto best = test::contents(project / "parts/best");
  {
    const test::FileSizeLimit limit(200'000);
    test::expect_usage_error(project.train("parts", {"--resume", "--quiet"}), "leaf_train",
                             {"cannot write", "parts/"});
  }
  test::expect_intact(project / "parts");
  EXPECT_TRUE(test::contents(project / "parts/checkpoints") == checkpoints);
  EXPECT_TRUE(test::contents(project / "parts/best") == best);
  ASSERT_EQ(project.train("parts", {"--resume"}).exit_code, 0);
  test::expect_same_run(project / "whole", project / "parts");
}

}  // namespace leaf
