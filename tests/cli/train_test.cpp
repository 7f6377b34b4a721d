#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "leaf/io/weights.h"
#include "support/images.h"
#include "train/checkpoint.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_parts;
using test::kUnetWeights;
using test::TrainProject;

const std::string kVaeWeights = "vae/diffusion_pytorch_model.safetensors";

/// The highest validation Dice in a run's metrics.
double best_dice(const fs::path& run) {
  double best = -1;
  for (const std::string& line : test::metrics(run)) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["phase"] == "validation") {
      best = std::max(best, entry["dice"].get<double>());
    }
  }
  return best;
}

/// What each line of training says of `key`.
std::vector<double> logged(const fs::path& run, const char* key) {
  std::vector<double> values;
  for (const std::string& line : test::metrics(run)) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["phase"] == "train") {
      values.push_back(entry[key]);
    }
  }
  return values;
}

/// The total losses.
std::vector<double> logged_losses(const fs::path& run) { return logged(run, "loss"); }

}  // namespace

TEST(Train, HelpAndVersion) {
  test::expect_help("leaf_train", {"--config", "--set", "--resume", "--print-config", "--dry-run",
                                   "--nproc", "--device", "--precision", "[train.mixed_precision]",
                                   "--threads", "--quiet", "--verbose"});
}

TEST(Train, PrintConfigNamesOriginsAndStops) {
  const TrainProject project;
  const auto outcome = project.train("run", {"--print-config", "--set", "seed=5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out, {"seed: 5  # --set\n", "adam_beta1: 0.9  # default\n",
                             "max_train_steps: 4  # " + project.path("train.yaml") + ":5\n",
                             "init: random  # " + project.path("config.yaml") + ":3\n",
                             "dir: " + project.path("run") + "  # --set\n"});
  EXPECT_FALSE(fs::exists(project / "run"));
}

TEST(Train, ThePrecisionOptionWinsOverTheConfiguration) {
  const TrainProject project;
  const auto precision = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--print-config", "--set", "train.mixed_precision=bf16"});
    return project.train("run", more).out;
  };
  expect_parts(precision({}), {"mixed_precision: bf16  # --set\n"});
  expect_parts(precision({"--precision", "fp32"}), {"mixed_precision: \"no\"  # --precision\n"});
  const auto outcome = project.train("run", {"--print-config", "--precision", "bf16"});
  expect_parts(outcome.out, {"mixed_precision: bf16  # --precision\n"});
}

TEST(Train, Float16IsNotForTraining) {
  const TrainProject project;
  const auto outcome = project.train("run", {"--precision", "fp16"});
  EXPECT_EQ(outcome.exit_code, 2);
  expect_parts(outcome.err, {"--precision fp16 is for inference; training takes fp32 or bf16\n"});
  EXPECT_FALSE(fs::exists(project / "run"));
}

TEST(Train, NeitherClosedOutputNorAClosedTerminalStopsTheSaving) {
  const TrainProject project;
  const auto bash = [&](const std::string& run, const std::string& steps, std::string script) {
    std::string command = str("'", LEAF_BIN_DIR, "/leaf_train'");
    for (const auto& word : project.arguments(run, {"--set", "train.max_train_steps=" + steps})) {
      command += " " + word;
    }
    write_file(project / "script", script.replace(script.find("TRAIN"), 5, command));
    return WEXITSTATUS(std::system(("bash " + project.path("script")).c_str()));
  };
  EXPECT_EQ(bash("pipe", "4", "TRAIN 2>&1 | true; exit ${PIPESTATUS[0]}"), 0);
  EXPECT_EQ(test::checkpoint_step(project / "pipe"), 4);
  const std::string saved = project.path("hangup/checkpoints/step-0000002/state.json");
  EXPECT_EQ(bash("hangup", "100000",
                 "TRAIN 2> /dev/null & while [ ! -e " + saved +
                     " ]; do sleep 0.01; done; kill -HUP $!; kill -HUP $!; wait $!"),
            130);
  EXPECT_NO_THROW(test::expect_intact(project / "hangup"));
}

TEST(Train, SaysThatBf16IsSlowOnACpu) {
  const TrainProject project;
  const auto outcome = project.train("run", {"--dry-run", "--quiet", "--precision", "bf16"});
  expect_parts(outcome.err,
               {"warning: train.mixed_precision bf16 is for GPUs", "--precision fp32"});
}

TEST(Train, TheLearningRateFollowsItsSchedule) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "train.lr_scheduler=linear"}).exit_code, 0);
  const std::vector<double> rates = logged(project / "run", "learning_rate");
  ASSERT_EQ(rates.size(), 4U);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    EXPECT_DOUBLE_EQ(rates[i], 1e-3 * (1 - static_cast<double>(i) / 4));
  }
}

TEST(Train, LossesAreLoggedAsMeans) {
  const TrainProject project;
  ASSERT_EQ(project.train("each").exit_code, 0);
  ASSERT_EQ(project.train("means", {"--set", "train.log_steps=3"}).exit_code, 0);
  const std::vector<double> each = logged_losses(project / "each");
  const std::vector<double> means = logged_losses(project / "means");
  ASSERT_EQ(each.size(), 4U);
  ASSERT_EQ(means.size(), 2U);
  EXPECT_DOUBLE_EQ(means[0], (each[0] + each[1] + each[2]) / 3);
  EXPECT_EQ(means[1], each[3]);
}

TEST(Train, ClippingInTheUpdateIsClippingBefore) {
  const TrainProject project;
  const auto losses = [&](const std::string& run, const std::string& in_update) {
    const auto outcome = project.train(
        run, {"--set", "train.max_grad_norm=0.01", "--set", "train.clip_in_update=" + in_update});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return logged_losses(project / run);
  };
  const std::vector<double> before = losses("before", "false");
  const std::vector<double> within = losses("within", "true");
  ASSERT_EQ(before.size(), 4U);
  ASSERT_EQ(within.size(), 4U);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(within[i], before[i], 1e-5 * before[i]) << i;
  }
}

TEST(Train, WritesARunFolder) {
  const TrainProject project;
  const auto outcome = project.train("run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.out, {"best model: " + project.path("run/best") + " (step ",
                             "last model: " + project.path("run/last") + " (step 4)\n"});
  expect_parts(outcome.err, {"step 2: validation", "step 4: validation", "4/4"});
  test::expect_intact(project / "run");
  expect_parts(read_file(project / "run/log.txt"),
               {"images: 4 to train, 1 to validate, 1 to test", "trained parameters: ",
                "all networks start from random weights", "step 4: validation"});

  const auto split = read_csv(project / "run/split.csv");
  ASSERT_EQ(split.size(), 7U);
  EXPECT_EQ(split[1], (std::vector<std::string>{"images/0001.png", "masks/0001.png", "train"}));
  EXPECT_EQ(split[5],
            (std::vector<std::string>{"images/0005.png", "masks/0005.png", "validation"}));
  EXPECT_EQ(split[6].back(), "test");

  std::vector<std::string> entries;
  for (const std::string& line : test::metrics(project / "run")) {
    const auto entry = nlohmann::json::parse(line);
    const std::string phase = entry["phase"];
    entries.push_back(phase + std::to_string(entry["step"].get<int>()));
    EXPECT_TRUE(entry.contains(phase == "train" ? "loss" : "dice")) << line;
  }
  EXPECT_EQ(entries, (std::vector<std::string>{"train1", "train2", "validation2", "train3",
                                               "train4", "validation4"}));

  const auto events = list_folder(project / "run/tensorboard");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].filename().string().starts_with("events.out.tfevents."));
  expect_parts(read_file(events[0]), {"brain.Event:2", "train/loss", "validation/dice"});
  EXPECT_EQ(list_folder(project / "run/checkpoints").size(), 2U);
}

TEST(Train, ValidationLeavesOverlays) {
  const TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  for (const std::string step : {"step-0000002", "step-0000004"}) {
    EXPECT_TRUE(fs::exists(project / "run/overlays" / step / "0005.jpg")) << step;
  }
  const auto events = list_folder(project / "run/tensorboard");
  expect_parts(read_file(events.at(0)), {"validation/0005"});
  ASSERT_EQ(project.train("png", {"--set", "validation.overlay_format=png"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(project / "png/overlays/step-0000002/0005.png"));
  EXPECT_EQ(list_folder(project / "png/overlays/step-0000002").size(), 1U);
  ASSERT_EQ(project.train("none", {"--set", "validation.overlays=0"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(project / "none/overlays"));
}

TEST(Train, FeatureCachesAndRecomputedBlocksChangeNothing) {
  const TrainProject project;
  const std::vector<std::string> teacher{"--set", "alignment.teacher=vit_tiny_patch16_224", "--set",
                                         "alignment.projector_dim=64"};
  const auto train = [&](const std::string& run, const std::vector<std::string>& settings) {
    std::vector<std::string> more = teacher;
    for (const std::string& setting : settings) {
      more.insert(more.end(), {"--set", setting});
    }
    const auto outcome = project.train(run, more);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  };
  train("off", {"train.feature_cache=off"});
  train("memory", {});
  const std::string disk = "train.feature_cache=disk";
  train("disk", {disk});
  EXPECT_EQ(list_folder(project / "feature-cache").size(), 1U);
  train("again", {disk, "train.feature_cache_dir=" + project.path("feature-cache")});
  train("small",
        {disk, "train.feature_cache_dir=" + project.path("other"), "train.feature_cache_mb=1"});
  train("recomputed", {"train.gradient_checkpointing=true"});
  for (const char* run : {"memory", "disk", "again", "small", "recomputed"}) {
    test::expect_same_run(project / "off", project / run);
  }
}

TEST(Train, FeatureCachesKeepDistributionsToo) {
  const TrainProject project;
  const std::vector<std::string> sampled{"--set", "diffusion.mask_latent=sample"};
  std::vector<std::string> off = sampled;
  off.insert(off.end(), {"--set", "train.feature_cache=off"});
  ASSERT_EQ(project.train("memory", sampled).exit_code, 0);
  ASSERT_EQ(project.train("off", off).exit_code, 0);
  test::expect_same_run(project / "memory", project / "off");
  ASSERT_EQ(project.train("mode").exit_code, 0);
  EXPECT_NE(test::metrics(project / "mode"), test::metrics(project / "memory"));
}

TEST(Train, ScalesLatentsByTheFirstBatchAndRemembersIt) {
  const TrainProject project;
  const auto train = [&](const std::string& run, const std::string& steps,
                         const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"--set", "model.autoencoder.scale_by_std=true",
                                   "--set", "model.autoencoder.scaling_factor=1",
                                   "--set", "diffusion.mask_latent=sample",
                                   "--set", "diffusion.loss=sdseg",
                                   "--set", "diffusion.prediction_type=epsilon",
                                   "--set", "train.max_grad_norm=0",
                                   "--set", "train.ema_latent_encoder=true",
                                   "--set", "train.max_train_steps=" + steps};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = project.train(run, words);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  };
  train("whole", "4");
  train("parts", "2");
  train("parts", "4", {"--resume"});
  test::expect_same_run(project / "whole", project / "parts");
  const auto vae = project.json("whole/best/vae/config.json");
  EXPECT_NE(vae.at("scaling_factor").get<double>(), 1.0);
  EXPECT_GT(vae.at("scaling_factor").get<double>(), 0.0);
  const auto line = nlohmann::json::parse(test::metrics(project / "whole").front());
  EXPECT_NEAR(line.at("loss").get<double>(),
              line.at("loss_prediction").get<double>() + line.at("loss_latent").get<double>(),
              1e-5);
  const Checkpoint end = read_checkpoint(project / "whole/checkpoints/step-0000004");
  const std::string name = "encoder.conv_in.weight";
  EXPECT_FALSE(
      end.weights.at("latent_encoder_ema." + name).equal(end.weights.at("latent_encoder." + name)));
  const auto saved = io::read_weights(project / "whole/last/latent_encoder");
  EXPECT_TRUE(saved.at(name).equal(end.weights.at("latent_encoder_ema." + name)));
}

TEST(Train, TheBestModelIsThatOfTheChosenMetric) {
  const TrainProject project;
  const auto outcome = project.train("run", {"--set", "validation.best_metric=specificity", "--set",
                                             "validation.best_images=with_target"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  bool validated = false;
  for (const std::string& text : test::metrics(project / "run")) {
    const auto line = nlohmann::json::parse(text);
    if (line.at("phase") == "validation") {
      validated = true;
      EXPECT_EQ(line.at("score"), line.at("specificity"));  // the one image has a target
    }
  }
  EXPECT_TRUE(validated);
  test::expect_usage_error(project.train("other", {"--set", "validation.best_metric=dise"}),
                           "leaf_train", {"validation.best_metric", "did you mean 'dice'"});
}

TEST(Train, AugmentationSwitchesTheFeatureCacheOff) {
  const TrainProject project;
  const auto outcome = project.train(
      "run", {"--set", "data.augment.scale=0.8,1.2", "--set", "data.augment.noise=0.1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("train.feature_cache is not used"), std::string::npos) << outcome.err;
  const auto turned = project.train("turned", {"--set", "data.augment.quarter_turns=0.5"});
  ASSERT_EQ(turned.exit_code, 0) << turned.err;
  EXPECT_EQ(turned.err.find("train.feature_cache is not used"), std::string::npos);
  test::expect_usage_error(project.train("other", {"--set", "data.augment.scale=2,1"}),
                           "leaf_train", {"data.augment.scale [2, 1] is no range"});
}

TEST(Train, StepsChangeEveryTrainedNetwork) {
  const TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  const Checkpoint two = read_checkpoint(project / "run/checkpoints/step-0000002");
  const Checkpoint four = read_checkpoint(project / "run/checkpoints/step-0000004");
  EXPECT_EQ(four.step, 4);
  for (const std::string name : {"unet.out.2.weight", "unet_ema.out.2.weight"}) {
    EXPECT_FALSE(two.weights.at(name).equal(four.weights.at(name))) << name;
  }
  const auto changed = std::count_if(two.weights.begin(), two.weights.end(), [&](const auto& item) {
    return item.first.starts_with("latent_encoder.") &&
           !item.second.equal(four.weights.at(item.first));
  });
  EXPECT_GT(changed, 0);
}

TEST(Train, TheSavedConfigurationAloneReproducesTheRun) {
  const TrainProject project;
  ASSERT_EQ(project.train("run", {"--set", "seed=11"}).exit_code, 0);
  write_file(project / "elsewhere/again.yaml", read_file(project / "run/config.yaml"));
  ASSERT_EQ(test::run_program("leaf_train", project.arguments("again", {}, "elsewhere/again.yaml"))
                .exit_code,
            0);
  test::expect_same_run(project / "run", project / "again");
  EXPECT_EQ(read_file(project / "run/split.csv"), read_file(project / "again/split.csv"));
  ASSERT_EQ(project.train("other").exit_code, 0);  // with another seed
  EXPECT_FALSE(read_file(project / "run/last" / kUnetWeights) ==
               read_file(project / "other/last" / kUnetWeights));
}

TEST(Train, AnAutoencoderServesASegmentationModel) {
  const TrainProject project;
  const auto outcome = project.train("vae", {"--set", "task=autoencoder"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* model : {"vae/best", "vae/last"}) {
    EXPECT_TRUE(fs::exists(project / model / kVaeWeights)) << model;
    EXPECT_FALSE(fs::exists(project / model / "unet")) << model;
  }
  const auto run = project.train("run", {"--set", "model.init=pretrained", "--set",
                                         "model.autoencoder.weights=" + project.path("vae/best")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  expect_parts(
      read_file(project / "run/log.txt"),
      {"'" + project.path("vae/best/vae") + "': autoencoder of", "latent encoder starts as"});
  EXPECT_TRUE(read_file(project / "run/last" / kVaeWeights) ==
              read_file(project / "vae/best" / kVaeWeights));
}

TEST(Train, ThenEvalThenInfer) {
  const TrainProject project;
  ASSERT_EQ(project.train("run").exit_code, 0);
  const auto eval = [&](const std::string& split) {
    const auto outcome = test::run_cpu(
        "leaf_eval", {"--model", project.path("run"), "--config", project.path("run/config.yaml"),
                      "--split", split, "--output", project.path(split)});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return project.json(split + "/summary.json")["scores"];
  };
  EXPECT_EQ(eval("test")["count"], 1);
  EXPECT_NEAR(eval("validation")["dice"]["mean"], best_dice(project / "run"), 0.01);

  const auto infer =
      test::run_cpu("leaf_infer", {"--model", project.path("run"), "--input",
                                   project.path("data/images"), "--output", project.path("out")});
  ASSERT_EQ(infer.exit_code, 0) << infer.err;
  for (const std::string name : {"0001.png", "0006.png"}) {
    EXPECT_EQ(data::size_of(data::read_mask(project / "out" / name)), (data::ImageSize{64, 64}));
  }
}

}  // namespace leaf
