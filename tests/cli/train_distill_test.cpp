#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/model.h"
#include "train_project.h"

namespace leaf {
namespace {

using test::TrainProject;

/// Distils model/ in 2 steps of halves and 2 of the whole, each logged.
struct DistillProject : TrainProject {
  DistillProject() {
    with_model();
    write_file(folder / "distill.yaml", R"(base: train.yaml
task: distill
model:
  teacher: model
  autoencoder: {type: tiny, widths: [8, 8, 16, 16], blocks: 1}
distill: {halves_steps: 2}
)");
  }

  test::Outcome distil(const std::string& run, const std::vector<std::string>& more = {}) const {
    return test::run_program("leaf_train", arguments(run, more, "distill.yaml"));
  }
};

}  // namespace

TEST(Distill, ALightModelRunsWhereverOthersDo) {
  const DistillProject project;
  const auto outcome = project.distil("run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("step 2: from now on the networks learn as one"), std::string::npos)
      << outcome.err;
  const std::string log = read_file(project / "run/metrics.jsonl");
  test::expect_parts(log, {"loss_decoder", "loss_mask", "\"agreement\"", "\"teacher_dice\""});

  ASSERT_EQ(
      test::run_cpu("leaf_infer", {"--model", project.path("run"), "--input",
                                   project.path("data/images"), "--output", project.path("masks")})
          .exit_code,
      0);
  EXPECT_EQ(project.json("masks/summary.json")["totals"]["failed"], 0);
  ASSERT_EQ(
      test::run_cpu("leaf_eval", {"--model", project.path("run"), "--config",
                                  project.path("config.yaml"), "--output", project.path("scores")})
          .exit_code,
      0);
  const auto inspected = test::run_program("leaf_convert", {"inspect", project.path("run")});
  test::expect_parts(inspected.out, {"autoencoder: taesd of widths [8, 8, 16, 16]",
                                     "distilled from: " + project.path("model") + ", SHA-256 " +
                                         model_sha256(project / "model")});
}

TEST(Distill, AResumeIsExactAcrossStages) {
  const DistillProject project;
  const auto up_to = [](int steps, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--set", "train.max_train_steps=" + std::to_string(steps)});
    return more;
  };
  ASSERT_EQ(project.distil("whole", up_to(4)).exit_code, 0);
  ASSERT_EQ(project.distil("parts", up_to(2)).exit_code, 0);
  const auto resumed = project.distil("parts", up_to(4, {"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  test::expect_same_run(project / "whole", project / "parts");
}

TEST(Distill, ANarrowerUNetLearnsToo) {
  const DistillProject project;
  const auto outcome =
      project.distil("run", {"--set", "distill.unet=new", "--set", "model.unet.num_heads=4"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(load_description(project / "run/best").unet.num_heads, 4);
  EXPECT_NE(read_file(project / "run/metrics.jsonl").find("loss_unet"), std::string::npos);
}

TEST(Distill, WhatDoesNotFitIsOneLine) {
  const DistillProject project;
  test::expect_usage_error(project.distil("run", {"--set", "model.teacher="}), "leaf_train",
                           {"model.teacher"});
  test::expect_usage_error(project.distil("run", {"--set", "model.teacher=" + project.path("no")}),
                           "leaf_train", {project.path("no")});
  test::expect_usage_error(project.distil("run", {"--set", "model.autoencoder.type=kl"}),
                           "leaf_train", {"model.autoencoder.type: tiny"});
  test::expect_usage_error(project.distil("run", {"--set", "model.autoencoder.widths=[8, 8]"}),
                           "leaf_train", {"model.autoencoder.widths", "model.teacher"});
  EXPECT_FALSE(std::filesystem::exists(project / "run"));
}

}  // namespace leaf
