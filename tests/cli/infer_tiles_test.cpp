// leaf_infer --tile.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/segment_file.h"
#include "support/images.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_mask;
using test::expect_usage_error;
using test::infer;
using test::phantom;
using test::TinyProject;

/// A picture of several tiles of 64 pixels, and smaller ones.
void write_pictures(const TinyProject& project) {
  data::write_png(project / "in/large.png", test::picture(150, 200));
  data::write_png(project / "in/low.png", test::picture(40, 200));
  data::write_png(project / "in/small.png", phantom(2, 40, 30));
}

}  // namespace

TEST(InferTiles, OneTileIsThePlainMask) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "plain", {"--probabilities", "16"}).exit_code, 0);
  ASSERT_EQ(infer(project, {"data/images"}, "tiled", {"--probabilities", "16", "--tile"}).exit_code,
            0);
  for (const char* file : {"0001.png", "0004.png", "probabilities/0001.png"}) {
    EXPECT_TRUE(read_file(project / "plain" / file) == read_file(project / "tiled" / file)) << file;
  }
  const auto plain = test::audit_records(project, "plain")[0];
  const auto tiled = test::audit_records(project, "tiled")[0];
  EXPECT_EQ(tiled["tiles"], 1);
  EXPECT_FALSE(plain.contains("tiles"));
  EXPECT_NE(plain["settings_sha256"], tiled["settings_sha256"]);
}

TEST(InferTiles, AnySizeWithSeedsAndProbabilities) {
  const TinyProject project;
  project.with_model();
  write_pictures(project);
  const auto outcome = infer(project, {"in"}, "out",
                             {"--tile", "--seeds", "2", "--ensemble", "staple", "--probabilities",
                              "--overlays", "filled", "--batch-size", "3"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* folder : {"out", "out/probabilities", "out/uncertainty"}) {
    EXPECT_EQ(data::read_mask(project / folder / "large.png").sizes(),
              (std::vector<std::int64_t>{150, 200}));
    EXPECT_EQ(data::read_mask(project / folder / "low.png").sizes(),
              (std::vector<std::int64_t>{40, 200}));
    EXPECT_EQ(data::read_mask(project / folder / "small.png").sizes(),
              (std::vector<std::int64_t>{40, 30}));
  }
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["options"]["tile"], 0);
  EXPECT_EQ(summary["options"]["tile_overlap"], 0.5);
  EXPECT_EQ(summary["options"]["ensemble"], "staple");
  EXPECT_EQ(summary["images"][0]["tiles"], 4 * 6);  // of 64 pixels, 32 apart at most
  EXPECT_EQ(summary["images"][1]["tiles"], 6);
  EXPECT_EQ(summary["images"][2]["tiles"], 1);
}

TEST(InferTiles, NeitherTheBatchNorTheOtherImagesMatter) {
  const TinyProject project;
  project.with_model();
  write_pictures(project);
  const std::vector<std::string> options{"--tile", "96", "--tile-overlap", "0.25"};
  ASSERT_EQ(infer(project, {"in"}, "all", options).exit_code, 0);
  ASSERT_EQ(infer(project, {"in/large.png"}, "alone", options).exit_code, 0);
  EXPECT_TRUE(read_file(project / "all/large.png") == read_file(project / "alone/large.png"));
  const Segmenter segmenter = Segmenter::load(project / "model");
  MaskOptions mask;
  mask.tiling = {.side = 96, .overlap = 0.25};
  const Segmentation result = segment_file(segmenter, project / "in/large.png", mask);
  EXPECT_TRUE(result.mask.equal(data::read_mask(project / "all/large.png")));
  ASSERT_EQ(infer(project, {"in"}, "again", {"--tile", "96", "--tile-overlap", "0.25"}).exit_code,
            0);
  EXPECT_EQ(test::audit_records(project, "again")[0]["settings_sha256"],
            test::audit_records(project, "all")[0]["settings_sha256"]);
}

TEST(InferTiles, ATileStartsFromNoiseOfItsOwn) {
  const TinyProject project;
  project.with_model();
  const at::Tensor rgb = phantom(1, 64, 64);
  data::write_png(project / "in/a.png", at::cat({rgb, rgb}, 1));  // twice the same tile
  ASSERT_EQ(
      infer(project, {"in"}, "out", {"--tile", "--tile-overlap", "0", "--probabilities"}).exit_code,
      0);
  const at::Tensor probability = data::read_mask(project / "out/probabilities/a.png");
  EXPECT_FALSE(probability.narrow(1, 0, 64).equal(probability.narrow(1, 64, 64)));
  ASSERT_EQ(infer(project, {"in"}, "zeros",
                  {"--tile", "--tile-overlap", "0", "--probabilities", "--noise", "zeros"})
                .exit_code,
            0);
  const at::Tensor zeros = data::read_mask(project / "zeros/probabilities/a.png");
  EXPECT_TRUE(zeros.narrow(1, 0, 64).equal(zeros.narrow(1, 64, 64)));
}

TEST(InferTiles, AnInterruptEndsTheWorkInsideAnImage) {
  const TinyProject project;
  project.with_model();
  data::write_png(project / "in/a.png", phantom(1, 64, 64));
  data::write_png(project / "in/b.png", test::picture(3000, 3000));
  const test::Program program(
      "leaf_infer", {"--model", project.path("model"), "--input", project.path("in"), "--output",
                     project.path("out"), "--threads", "1", "--tile"});
  ASSERT_TRUE(test::wait_for(project / "out/a.png"));
  program.interrupt();
  EXPECT_EQ(program.wait().exit_code, 130);
  const auto summary = project.json("out/summary.json");
  EXPECT_EQ(summary["status"], "interrupted");
  EXPECT_EQ(summary["images"].size(), 1U);
  EXPECT_FALSE(fs::exists(project / "out/b.png"));
}

TEST(InferTiles, WhatDoesNotGoTogetherIsRefused) {
  const TinyProject project;
  project.with_model();
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& parts) {
    expect_usage_error(infer(project, {"data/images"}, "out", options), "leaf_infer", parts);
  };
  refused({"--tile", "--output-size", "model"}, {"tiles", "model"});
  refused({"--tile-overlap", "0.2"}, {"--tile"});
  refused({"--tile", "4"}, {"tiles of side 4", "32 or more"});
  refused({"--seeds", "2", "--noise", "zeros"}, {"--noise zeros", "--seeds"});
  refused({"--seed", "-1"}, {"--seed"});
  refused({"--tile", "--tile-overlap", "1"}, {"--tile-overlap"});
  refused({"--ensemble", "staple"}, {"--seeds"});
  refused({"--ensemble", "staple", "--seeds", "1"}, {"staple", "2 or more"});
  refused({"--ensemble", "vote", "--seeds", "3"}, {"--ensemble", "'vote'", "staple"});
}

}  // namespace leaf
