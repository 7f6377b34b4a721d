#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/sha256.h"
#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf_demo_data/phantom.h"
#include "support/images.h"
#include "support/json_schema.h"
#include "support/small_disk.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::audit_records;
using test::infer;
using test::TinyProject;

test::JsonSchema schema(const std::string& name) {
  return test::JsonSchema(nlohmann::json::parse(
      read_file(std::string(LEAF_SOURCE_DIR) + "/docs/schemas/" + name + ".schema.json")));
}

void expect_no_faults(const test::JsonSchema& schema, const nlohmann::json& value) {
  for (const std::string& fault : schema.faults(value)) {
    ADD_FAILURE() << fault;
  }
}

/// Runs again with --skip-existing and expects so many made and left, and a part of the message.
void expect_again(const TinyProject& project, int made, int left, const std::string& message,
                  const std::vector<std::string>& more = {}, const std::string& model = "model") {
  std::vector<std::string> options{"--skip-existing"};
  options.insert(options.end(), more.begin(), more.end());
  const auto outcome = infer(project, {"data/images"}, "out", options, model);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  const auto totals = project.json("out/summary.json")["totals"];
  EXPECT_EQ(totals["done"], made) << outcome.err;
  EXPECT_EQ(totals["skipped"], left) << outcome.err;
}

/// Makes in/0.png, in/1.png, ...: small phantoms, every tenth a photograph's size, every fiftieth
/// 24 million pixels.
void make_mixed_images(const TinyProject& project, int count) {
  data::write_png(project / "large.png", at::full({4000, 6000, 3}, 90, at::kByte));
  data::write_png(project / "photograph.png", test::picture(1500, 2250));
  fs::create_directories(project / "in");
  for (int i = 0; i < count; ++i) {
    const std::string small = "data/images/000" + std::to_string(1 + i % 4) + ".png";
    const std::string file = i % 50 == 49 ? "large.png" : i % 10 == 9 ? "photograph.png" : small;
    fs::create_hard_link(project / file, project / "in" / (std::to_string(i) + ".png"));
  }
}

}  // namespace

TEST(InferAudit, EveryMaskHasARecordOfWhatMadeIt) {
  const TinyProject project;
  project.with_model();
  write_file(project / "data/images/9.png", "no picture");
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 1);
  const auto records = audit_records(project, "out");
  ASSERT_EQ(records.size(), 5U);
  for (const auto& record : records) {
    expect_no_faults(schema("inference-audit"), record);
  }
  const auto& first = records[0];
  EXPECT_EQ(first["name"], "0001");
  EXPECT_EQ(first["input_sha256"], sha256(read_file(project / "data/images/0001.png")));
  EXPECT_EQ(first["output_sha256"], sha256(read_file(project / "out/0001.png")));
  EXPECT_EQ(first["model_sha256"], records[1]["model_sha256"]);
  EXPECT_NE(records[4]["error"], "");
  expect_no_faults(schema("inference-summary"), project.json("out/summary.json"));
  ASSERT_EQ(infer(project, {"data/images/0001.png"}, "tiles",
                  {"--tile", "--seeds", "2", "--ensemble", "staple", "--labels"})
                .exit_code,
            0);
  expect_no_faults(schema("inference-audit"), audit_records(project, "tiles")[0]);
  expect_no_faults(schema("inference-summary"), project.json("tiles/summary.json"));
  EXPECT_FALSE(schema("inference-summary").faults(first).empty()) << "the check itself";

  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--skip-existing"}).exit_code, 1);
  const auto more = audit_records(project, "out");
  ASSERT_EQ(more.size(), 10U) << "records are added, never changed";
  expect_no_faults(schema("inference-audit"), more[5]);
  EXPECT_EQ(more[5]["skipped"], true);
  expect_no_faults(schema("inference-summary"), project.json("out/summary.json"));
}

TEST(InferAudit, TheModelsHashCanBeHadFromTheShell) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images/0001.png"}, "out").exit_code, 0);
  const std::string command =
      "cd " + project.path("model") +
      " && find unet vae latent_encoder scheduler model_index.json preprocessing.json -type f | "
      "LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum | cut -d' ' -f1 >../hash";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(audit_records(project, "out")[0]["model_sha256"].get<std::string>() + "\n",
            read_file(project / "hash"));
}

TEST(InferAudit, WhatIsThereIsLeftAndWhatIsMissingIsMade) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 0);
  const auto written = fs::last_write_time(project / "out/0001.png");
  fs::remove(project / "out/0003.png");
  expect_again(project, 1, 3, "info: 1 image segmented, 3 skipped; ");
  EXPECT_TRUE(fs::exists(project / "out/0003.png"));
  EXPECT_EQ(fs::last_write_time(project / "out/0001.png"), written);
  expect_again(project, 0, 4, "info: 0 images segmented, 4 skipped; ");
}

TEST(InferAudit, MasksThatAreNotOursAreMadeAnew) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 0);
  const std::string mask = read_file(project / "out/0001.png");
  fs::resize_file(project / "out/0001.png", 0);
  fs::copy_file(project / "out/0003.png", project / "out/0002.png",
                fs::copy_options::overwrite_existing);
  expect_again(project, 2, 2, "(2 in place of masks that were there: 1 empty, 1 changed since");
  EXPECT_TRUE(read_file(project / "out/0001.png") == mask);

  fs::remove(project / "out/audit.jsonl");
  expect_again(project, 4, 0, "4 not in audit.jsonl");
  expect_again(project, 4, 0, "4 made with other settings", {"--seed", "7"});
  expect_again(project, 4, 0, "4 whose other files are missing", {"--seed", "7", "--overlays"});
  project.scale_weight("unet", "out.2.weight", 1.5);
  expect_again(project, 4, 0, "4 of another model", {"--seed", "7"});
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["totals"]["redone"]["other_model"], 4);
  expect_no_faults(schema("inference-summary"), summary);
}

TEST(InferAudit, FilesBesideAMaskAreOfItsCallAndOfTheFormThatIsAskedFor) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--probabilities", "8"}).exit_code, 0);
  const auto record = audit_records(project, "out")[0];
  EXPECT_EQ(record["extras"]["probabilities"], "8");
  expect_no_faults(schema("inference-audit"), record);
  expect_again(project, 0, 4, "4 skipped", {"--probabilities", "8"});
  expect_again(project, 4, 0, "4 whose other files are missing", {"--probabilities", "16"});
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 0) << "leaves probabilities alone";
  expect_again(project, 0, 4, "4 skipped");
  expect_again(project, 4, 0, "4 whose other files are missing", {"--probabilities", "16"});
}

TEST(InferAudit, AnImageThatHasChangedIsSegmentedAgain) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 0);
  data::write_png(project / "data/images/0002.png", apps::make_phantom(64, 3, 9).image);
  const fs::path touched = project / "data/images/0003.png";
  fs::last_write_time(touched, fs::file_time_type::clock::now() + std::chrono::hours(1));
  expect_again(project, 1, 3, "1 of an image that has changed");
}

TEST(InferAudit, LinesThatAreNoRecordsAreNoReason) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out").exit_code, 0);
  write_file(project / "out/audit.jsonl",
             "[1]\n{\"name\": 3}\n\n" + read_file(project / "out/audit.jsonl") + "{\"name\": \"00");
  expect_again(project, 0, 4, "4 skipped");
  fs::remove(project / "out/0001.png");
  expect_again(project, 1, 3, "1 image segmented, 3 skipped");
}

TEST(InferAudit, AFullDiskEndsTheWorkWhichGoesOnWhenThereIsRoom) {
  const TinyProject project;
  project.with_model();
  const fs::path disk = project / "out";
  const test::SmallDisk mounted(disk, 64 << 10);
  if (!mounted.is_there()) {
    GTEST_SKIP() << "mounting a file system of a stated size needs root";
  }
  for (int i = 0; i < 40; ++i) {
    fs::create_directories(project / "in");
    fs::create_hard_link(project / "data/images/0001.png",
                         project / "in" / (std::to_string(i) + ".png"));
  }
  test::expect_usage_error(infer(project, {"in"}, "out", {"--quiet"}), "leaf_infer",
                           {"cannot write '" + project.path("out/"), "No space left on device",
                            "free space, then go on with --skip-existing"});
  mounted.grow(4 << 20);
  EXPECT_EQ(infer(project, {"in"}, "out", {"--skip-existing"}).exit_code, 0);
  const auto totals = project.json("out/summary.json")["totals"];
  EXPECT_GT(totals["skipped"], 0);
  EXPECT_EQ(totals["skipped"].get<int>() + totals["done"].get<int>(), 40);
}

TEST(InferAudit, KilledAndContinuedGivesTheSameBytes) {
  const TinyProject project;
  project.with_model();
  constexpr int kImages = 200;
  make_mixed_images(project, kImages);
  ASSERT_EQ(infer(project, {"in"}, "whole", {"--probabilities"}).exit_code, 0);
  for (const int kill_at : {30, 120}) {
    const test::Program program(
        "leaf_infer", {"--model", project.path("model"), "--input", project.path("in"), "--output",
                       project.path("out"), "--threads", "1", "--device", "cpu", "--probabilities",
                       "--skip-existing"});
    ASSERT_TRUE(test::wait_for(project / "out" / (std::to_string(kill_at) + ".png")));
    program.kill();
    program.wait();
  }
  ASSERT_EQ(infer(project, {"in"}, "out", {"--probabilities", "--skip-existing"}).exit_code, 0);
  EXPECT_GT(project.json("out/summary.json")["totals"]["skipped"], 100);
  for (int i = 0; i < kImages; ++i) {
    const std::string name = std::to_string(i) + ".png";
    for (const std::string& file : {name, "probabilities/" + name}) {
      EXPECT_TRUE(read_file(project / "out" / file) == read_file(project / "whole" / file)) << file;
    }
  }
}

}  // namespace leaf
