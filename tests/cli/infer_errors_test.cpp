// What goes wrong with one image, and what ends the work.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/io/safetensors.h"
#include "support/images.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_mask;
using test::expect_usage_error;
using test::infer;
using test::phantom;
using test::TinyProject;

}  // namespace

TEST(InferErrors, AnImageOfTooManyPixelsIsItsOwnFailure) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/large.png", phantom(1, 64, 64));
  data::write_png(project / "in/small.png", phantom(1, 32, 32));
  const test::Outcome outcome = infer(project, {"in"}, "out", {"--max-pixels", "2000"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("large.png"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("--max-pixels"), std::string::npos) << outcome.err;
  expect_mask(project / "out/small.png", 32, 32);
  EXPECT_FALSE(fs::exists(project / "out/large.png"));
}

TEST(InferErrors, APipeAndAnEndlessFileAreThatImagesFailure) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  ASSERT_EQ(::mkfifo((project / "in/pipe.png").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", project / "in/zero.png");
  write_file(project / "out/pipe.png", "earlier");
  const auto outcome = infer(project, {"in"}, "out");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  for (const std::string name : {"in/pipe.png", "in/zero.png"}) {
    EXPECT_NE(outcome.err.find(project.path(name) + "': it is not a regular file"),
              std::string::npos)
        << outcome.err;
  }
  EXPECT_NE(outcome.err.find("its earlier mask was removed"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(project / "out/pipe.png"));
  expect_mask(project / "out/a.png", 40, 56);
}

TEST(InferErrors, AFileThatCannotBeWrittenIsThatImagesFailure) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  data::write_png(project / "in/b.png", test::picture(400, 400));  // its overlay is large
  data::write_png(project / "in/c.png", phantom(2, 40, 56));
  data::write_png(project / "in/d.png", phantom(3, 40, 56));
  fs::create_directories(project / "out/d.png");
  const test::FileSizeLimit limit(20'000);
  for (const std::string batch_size : {"1", "3"}) {
    const auto outcome = infer(project, {"in"}, "out", {"--overlays", "--batch-size", batch_size});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("error: '" + project.path("in/b.png") + "': cannot write '" +
                               project.path("out/overlays/b.jpg")),
              std::string::npos)
        << outcome.err;
    EXPECT_NE(outcome.err.find("error: '" + project.path("in/d.png") + "': cannot write '" +
                               project.path("out/d.png")),
              std::string::npos)
        << outcome.err;
    const auto summary = project.json("out/summary.json");
    EXPECT_EQ(summary["status"], "complete");
    EXPECT_EQ(summary["totals"]["done"], 2);
    EXPECT_EQ(summary["totals"]["failed"], 2);
    EXPECT_FALSE(fs::exists(project / "out/b.png"));
    expect_mask(project / "out/c.png", 40, 56);
  }
}

TEST(InferErrors, AnAuditThatCannotBeWrittenEndsTheWork) {
  const TinyProject project;
  project.with_model();
  {
    const test::FileSizeLimit limit(1'280);  // masks and the summary fit in, two records do not
    const auto outcome = infer(project, {"data/images"}, "out", {"--quiet"});
    expect_usage_error(outcome, "leaf_infer", {"cannot write", project.path("out/audit.jsonl")});
  }
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["status"], "failed");
  EXPECT_NE(summary["error"].get<std::string>().find("audit.jsonl"), std::string::npos);
  EXPECT_LT(summary["images"].size(), 4U);
  EXPECT_EQ(infer(project, {"data/images"}, "out", {"--skip-existing"}).exit_code, 0);
  EXPECT_EQ(project.json("out/summary.json")["images"].size(), 4U);
  fs::remove(project / "out/audit.jsonl");
  fs::create_directories(project / "out/audit.jsonl");
  expect_usage_error(infer(project, {"data/images"}, "out", {"--quiet"}), "leaf_infer",
                     {"cannot write", project.path("out/audit.jsonl"), "not a regular file"});
}

TEST(InferErrors, NamesThatLeadNowhereAreThoseImagesFailures) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  fs::create_symlink("b.png", project / "in/b.png");  // to itself
  fs::create_symlink("missing.png", project / "in/c.png");
  const std::string long_name(4000, 'd');
  const auto outcome = infer(project, {"in/a.png", "in/b.png", "in/c.png"}, "out");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  expect_mask(project / "out/a.png", 40, 56);
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["totals"]["failed"], 2);
  EXPECT_NE(outcome.err.find("in/b.png"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("in/c.png"), std::string::npos) << outcome.err;
  expect_usage_error(infer(project, {"in/" + long_name}, "out"), "leaf_infer",
                     {"no file or folder"});
}

TEST(InferErrors, ADataSetsFolderIsWarnedOf) {
  const TinyProject project;
  project.with_model();
  const auto outcome = infer(project, {"data"}, "out");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  test::expect_parts(outcome.err, {"holds 'images' and 'masks': both are segmented",
                                   "give '" + project.path("data/images") + "'"});
}

TEST(InferErrors, WrongUsageIsOneLine) {
  const TinyProject project;
  const auto expect = [&](const test::Outcome& outcome, const std::vector<std::string>& parts) {
    expect_usage_error(outcome, "leaf_infer", parts);
    EXPECT_FALSE(fs::exists(project / "out/summary.json"));
  };
  expect(infer(project, {"data/images"}, "out"), {"no model folder", project.path("model")});
  fs::create_directories(project / "model");
  expect(infer(project, {"data/images"}, "out"), {"neither a model folder"});
  write_file(project / "model/x/unet/config.json", "");
  expect(infer(project, {"data/images"}, "out"),
         {"a folder that holds models: '" + project.path("model/x") + "'"});
  fs::remove_all(project / "model");
  write_file(project / "model", "");
  expect(infer(project, {"data/images"}, "out"), {"is a file, not a model folder"});
  fs::remove(project / "model");
  project.with_model();
  expect(infer(project, {"data/images"}, "out/mask.png"), {"called as a picture"});
  expect(infer(project, {"data/images"}, "out", {"--out-size", "model"}), {"'--out-size'"});
  expect(infer(project, {"data/images"}, "out", {"--output-size", "modl"}), {"'modl'", "model"});
  expect(infer(project, {"nowhere"}, "out"), {"no file or folder", "nowhere"});
  fs::create_directories(project / "empty");
  expect(infer(project, {"empty"}, "out"), {"no images", "empty"});
  write_file(project / "file", "");
  expect(infer(project, {"data/images"}, "file"), {"cannot make the folder", "file"});
}

TEST(InferErrors, RefusesOutputsThatCollide) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 40, 56));
  data::write_jpeg(project / "in/a.jpg", phantom(2, 40, 56));
  expect_usage_error(infer(project, {"in"}, "out"), "leaf_infer",
                     {"in/a.jpg", "in/a.png", "would both write"});
  const std::string before = read_file(project / "data/images/0001.png");
  expect_usage_error(infer(project, {"data/images"}, "data/images"), "leaf_infer",
                     {"0001.png", "would be written over"});
  EXPECT_TRUE(read_file(project / "data/images/0001.png") == before);
  // Masks in a folder below the images are not taken for images by the next run.
  ASSERT_EQ(infer(project, {"data/images"}, "data/images/masks").exit_code, 0);
  ASSERT_EQ(infer(project, {"data/images"}, "data/images/masks").exit_code, 0);
  EXPECT_EQ(project.json("data/images/masks/summary.json")["images"].size(), 4U);
}

TEST(InferErrors, NamesWeightsThatAreMissingOrDoNotFit) {
  const TinyProject project;
  project.with_model();
  const fs::path weights = project / "model/unet/diffusion_pytorch_model.safetensors";
  io::TensorMap tensors = io::read_safetensors(weights);
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.clone();  // the file that they map is about to be replaced
  }
  tensors["out.2.bias"] = at::zeros({5});
  io::write_safetensors(weights, tensors);
  expect_usage_error(infer(project, {"data/images"}, "out"), "leaf_infer",
                     {"model/unet", "out.2.bias"});
  fs::remove(weights);
  expect_usage_error(infer(project, {"data/images"}, "out"), "leaf_infer", {"model/unet"});
}

}  // namespace leaf
