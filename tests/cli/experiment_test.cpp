#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "common/exit_code.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/folder_lock.h"
#include "leaf/core/strings.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;

/// A table of two settings on one data set, two seeds each.
struct ExperimentProject : test::TrainProject {
  ExperimentProject() {
    write_file(folder / "table.yaml", R"(
title: Tiny
output: experiments
metrics: [dice, iou]
seeds: [1, 2]
columns: [{name: phantoms, config: train.yaml, small: train.yaml}]
rows:
  - {name: x0, set: {diffusion.prediction_type: sample}, published: {phantoms: [95.2, 90.9]}}
  - {name: noise, set: {diffusion.prediction_type: epsilon}}
small: {seeds: 1}
)");
  }

  std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"run", path("table.yaml")};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--device", "cpu", "--threads", "1"});
    return words;
  }
  test::Outcome run(const std::vector<std::string>& more = {}) const {
    return test::run_program("leaf_experiment", arguments(more));
  }
  std::string table() const { return read_file(folder / "experiments/table/table.csv"); }
  std::vector<fs::path> runs() const { return list_folder(folder / "experiments/runs"); }
  /// The names of the folders that a plan shows, in its order.
  std::vector<std::string> runs_of_plan() const {
    const std::string plan = run({"--dry-run"}).out;
    std::vector<std::string> names;
    const std::string before = "experiments/runs/";
    for (std::size_t at = plan.find(before); at != std::string::npos;
         at = plan.find(before, at + 1)) {
      const std::size_t from = at + before.size();
      names.push_back(plan.substr(from, plan.find_first_of(" /\n", from) - from));
    }
    return names;
  }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST(Experiment, MakesATableAndRunsNothingTwice) {
  const ExperimentProject project;
  const auto plan = project.run({"--dry-run"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_EQ(count(plan.out, ": to do\n"), 4U) << plan.out;
  EXPECT_FALSE(fs::exists(project / "experiments"));

  const auto outcome = project.run();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(project.runs().size(), 4U);
  EXPECT_NE(outcome.out.find("(95.2)"), std::string::npos) << outcome.out;
  EXPECT_NE(project.table().find("x0,phantoms Dice (%),2,"), std::string::npos) << project.table();
  EXPECT_TRUE(fs::exists(project / "experiments/table/plot.svg"));

  const std::string before = project.table();
  const auto again = project.run();
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(project.table(), before);
  // Another table has two of the runs already.
  const auto small = project.run({"--small", "--dry-run"});
  EXPECT_EQ(count(small.out, ": done\n"), 2U) << small.out;
}

TEST(Experiment, AKilledOneGoesOnToTheSameTable) {
  const ExperimentProject whole;
  ASSERT_EQ(whole.run({"--small"}).exit_code, 0);
  const ExperimentProject parts;
  {
    const test::Program program("leaf_experiment", parts.arguments({"--small"}));
    EXPECT_TRUE(test::wait_for(parts / "experiments/table-small/table.csv"));
    program.interrupt();
    const int code = program.wait().exit_code;
    EXPECT_TRUE(code == apps::kExitInterrupted || code == apps::kExitSuccess) << code;
  }
  ASSERT_EQ(parts.run({"--small"}).exit_code, 0);
  EXPECT_EQ(read_file(parts / "experiments/table-small/table.csv"),
            read_file(whole / "experiments/table-small/table.csv"));
}

TEST(Experiment, SeveralProcessesMakeOneTable) {
  const ExperimentProject project;
  const auto first = project.runs_of_plan();
  fs::create_directories(project / "experiments/claims" / first.front());
  {
    const FolderLock other(project / "experiments/claims" / first.front());
    const auto outcome = project.run();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("run 1 of 4 (phantoms, x0, seed 1) is made by another process"),
              std::string::npos)
        << outcome.err;
    EXPECT_EQ(project.runs().size(), 3U);
    EXPECT_NE(project.table().find("x0,phantoms Dice (%),1,"), std::string::npos);
  }
  ASSERT_EQ(project.run().exit_code, 0);
  EXPECT_NE(project.table().find("x0,phantoms Dice (%),2,"), std::string::npos) << project.table();
}

TEST(Experiment, APlanIsCommandsForAShell) {
  const ExperimentProject project;
  std::string text = read_file(project / "table.yaml");
  text.replace(text.find("output: experiments"), 19, "output: \"it's here\"");
  write_file(project / "table.yaml", text);
  const auto plan = project.run({"--dry-run"});
  EXPECT_NE(plan.out.find("/it'\\''s here/runs/phantoms-"), std::string::npos) << plan.out;
}

TEST(Experiment, AFailedRunDoesNotStopTheOthers) {
  const ExperimentProject project;
  std::string text = read_file(project / "table.yaml");
  const std::string sample = "diffusion.prediction_type: sample";
  text.replace(text.find(sample), sample.size(), "train.train_batch_size: 100");
  write_file(project / "table.yaml", text);
  const auto outcome = project.run({"--small"});
  EXPECT_EQ(outcome.exit_code, apps::kExitSomeFailed) << outcome.err;
  EXPECT_NE(outcome.err.find("failed with exit code 2"), std::string::npos) << outcome.err;
  const std::string table = read_file(project / "experiments/table-small/table.csv");
  EXPECT_NE(table.find("x0,phantoms Dice (%),0,"), std::string::npos) << table;
  EXPECT_NE(table.find("noise,phantoms Dice (%),1,"), std::string::npos) << table;
}

TEST(Experiment, AProgramThatIsMissingIsNamed) {
  const ExperimentProject project;
  const fs::path bin = LEAF_BIN_DIR;
  fs::create_directory(project / "bin");
  fs::copy_file(bin / "leaf_experiment", project / "bin/leaf_experiment");
  fs::create_directory_symlink(bin.parent_path() / "lib", project / "lib");  // of shared builds
  const auto outcome = test::run_program(project.path("bin/leaf_experiment"), project.arguments());
  EXPECT_EQ(outcome.exit_code, apps::kExitSomeFailed);
  EXPECT_NE(outcome.err.find("cannot start '"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("/leaf_train'"), std::string::npos) << outcome.err;
}

TEST(Experiment, AWrongFileIsOneLine) {
  const ExperimentProject project;
  write_file(project / "table.yaml", "outputs: x\n");
  test::expect_usage_error(project.run(), "leaf_experiment", {"unknown key 'outputs'", ":1: "});
  write_file(project / "table.yaml", "base: x\n");
  test::expect_usage_error(project.run(), "leaf_experiment", {"a configuration of leaf_train"});
  write_file(project / "table.yaml", "seeds: {a: 1}\n");
  test::expect_usage_error(project.run(), "leaf_experiment", {"table.yaml"});
  write_file(project / "table.yaml",
             "output: runs\nmetrics: dice\nseeds: 1\nsplit: tst\n"
             "columns: [{name: A, config: train.yaml}]\nrows: [{name: x}]\n");
  test::expect_usage_error(project.run(), "leaf_experiment", {"split 'tst'", "train, validation"});
  test::expect_usage_error(test::run_program("leaf_experiment", {"ran", "x"}), "leaf_experiment",
                           {"unknown command 'ran'", "did you mean 'run'"});
}

TEST(Experiment, TrainingIsTimedByStage) {
  const test::TrainProject project;
  const auto outcome =
      test::run_cpu("leaf_bench", {"train", "--config", project.path("train.yaml"), "--steps", "2",
                                   "--json", project.path("bench.json")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const std::string part :
       {"steps/s", "peak memory", "frozen networks", "forward", "backward", "optimizer", "data"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << " in " << outcome.out;
  }
  EXPECT_EQ(project.json("bench.json").at("steps"), 2);
  EXPECT_FALSE(fs::exists(project / "runs"));
}

TEST(Experiment, ADoctorSaysWhatToDo) {
  const test::TrainProject project;
  const auto doctor = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"--doctor"};
    words.insert(words.end(), more.begin(), more.end());
    return test::run_program("leaf_train", project.arguments("run", words));
  };
  const auto random = doctor({});
  EXPECT_EQ(random.exit_code, apps::kExitSomeFailed) << random.out;  // random weights learn little
  EXPECT_NE(random.out.find("ok    data: 4 to train, 1 to validate, 1 to test"), std::string::npos)
      << random.out;
  EXPECT_FALSE(fs::exists(project / "run"));
  const auto missing =
      doctor({"--set", "model.init=pretrained", "--set", "model.pretrained=" + project.path("no")});
  EXPECT_EQ(missing.exit_code, apps::kExitSomeFailed);
  EXPECT_NE(missing.out.find("does not exist; see \"Weights\""), std::string::npos) << missing.out;
  const auto no_data = doctor({"--set", "data.root=" + project.path("nowhere")});
  EXPECT_NE(no_data.out.find("do    data: cannot be used"), std::string::npos) << no_data.out;
}

}  // namespace leaf
