#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "infer_project.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "leaf/data/postprocess.h"
#include "leaf/pipeline/segment_file.h"
#include "pipeline/inference/staple.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_usage_error;
using test::infer;
using test::TinyProject;

/// The numbers of a `.npy` of that size.
at::Tensor read_npy(const fs::path& path, std::int64_t height, std::int64_t width) {
  const std::string content = read_file(path);
  const at::Tensor values = at::empty({height, width}, at::kFloat);
  const std::size_t bytes = values.nbytes();
  std::copy_n(content.data() + content.size() - bytes, bytes,
              static_cast<char*>(values.mutable_data_ptr()));
  return values;
}

}  // namespace

TEST(InferOutputs, ALibraryCallGivesTheProgramsMask) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--probabilities", "npy"}).exit_code, 0);
  const Segmenter segmenter = Segmenter::load(project / "model");
  const Segmentation result = segment_file(segmenter, project / "data/images/0001.png");
  EXPECT_TRUE(result.mask.equal(data::read_mask(project / "out/0001.png")));
  EXPECT_TRUE(result.probability.equal(read_npy(project / "out/probabilities/0001.npy", 64, 64)));
  EXPECT_THROW(segment_file(segmenter, project / "data/images/no.png"), DataError);
}

TEST(InferOutputs, ProbabilitiesOfEightAndSixteenBits) {
  const TinyProject project;
  project.with_model();
  const std::string image = "data/images/0001.png";
  ASSERT_EQ(infer(project, {image}, "plain", {"--probabilities"}).exit_code, 0);
  ASSERT_EQ(infer(project, {image}, "eight", {"--probabilities", "8"}).exit_code, 0);
  ASSERT_EQ(infer(project, {image}, "sixteen", {"--probabilities", "16"}).exit_code, 0);
  const std::string file = "/probabilities/0001.png";
  EXPECT_TRUE(read_file(project / ("plain" + file)) == read_file(project / ("eight" + file)));
  constexpr std::size_t kDepth = 24;  // of a PNG's header
  EXPECT_EQ(read_file(project / ("plain" + file))[kDepth], 8);
  EXPECT_EQ(read_file(project / ("sixteen" + file))[kDepth], 16);
  EXPECT_EQ(project.json("sixteen/summary.json")["options"]["probabilities"], "16");
  expect_usage_error(infer(project, {image}, "out", {"--probabilities", "32"}), "leaf_infer",
                     {"--probabilities", "'32'", "npy"});
}

TEST(InferOutputs, PostprocessingIsAppliedAndRecorded) {
  const TinyProject project;
  project.with_model();
  const std::string steps = "largest-component,fill-holes";
  ASSERT_EQ(infer(project, {"data/images"}, "plain").exit_code, 0);
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--postprocess", steps}).exit_code, 0);
  const at::Tensor plain = data::read_mask(project / "plain/0001.png");
  const at::Tensor processed = data::apply_postprocess(data::parse_postprocess(steps), plain);
  ASSERT_FALSE(processed.equal(plain));
  EXPECT_TRUE(data::read_mask(project / "out/0001.png").equal(processed));
  EXPECT_EQ(project.json("out/summary.json")["options"]["postprocess"], steps);
  EXPECT_NE(test::audit_records(project, "out")[0]["settings_sha256"],
            test::audit_records(project, "plain")[0]["settings_sha256"]);
  expect_usage_error(infer(project, {"data/images"}, "x", {"--postprocess", "fill-hole"}),
                     "leaf_infer", {"'fill-hole'", "did you mean 'fill-holes'"});
}

TEST(InferOutputs, ContoursAreACocoDataSet) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--contours"}).exit_code, 0);
  const auto coco = project.json("out/contours/0001.json");
  EXPECT_EQ(coco["images"][0]["file_name"], "0001.png");
  EXPECT_EQ(coco["categories"][0]["id"], 1);
  const auto& annotation = coco["annotations"][0];
  const at::Tensor mask = data::read_mask(project / "out/0001.png");
  EXPECT_EQ(annotation["area"], mask.count_nonzero().item<std::int64_t>());
  EXPECT_EQ(annotation["rle"]["size"], (std::vector<int>{64, 64}));
  const auto box = annotation["bbox"].get<std::vector<std::int64_t>>();
  const at::Tensor inside = mask.narrow(1, box[0], box[2]).narrow(0, box[1], box[3]);
  EXPECT_EQ(inside.count_nonzero().item<std::int64_t>(), annotation["area"]);
  for (const auto& polygon : annotation["segmentation"]) {
    EXPECT_GE(polygon.size(), 6U);
    EXPECT_EQ(polygon.size() % 2, 0U);
  }
}

TEST(InferOutputs, ContoursAsGeoJsonEncloseTheMask) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--contours", "geojson"}).exit_code, 0);
  EXPECT_EQ(project.json("out/summary.json")["options"]["contours"], "geojson");
  const auto geojson = project.json("out/contours/0001.geojson");
  EXPECT_EQ(geojson["type"], "FeatureCollection");
  std::int64_t pixels = 0;
  for (const auto& feature : geojson["features"]) {
    EXPECT_EQ(feature["type"], "Feature");
    EXPECT_EQ(feature["geometry"]["type"], "Polygon");
    pixels += feature["properties"]["pixels"].get<std::int64_t>();
    for (const auto& ring : feature["geometry"]["coordinates"]) {
      EXPECT_GE(ring.size(), 5U);
      EXPECT_EQ(ring.front(), ring.back());
    }
  }
  EXPECT_EQ(pixels, data::read_mask(project / "out/0001.png").count_nonzero().item<std::int64_t>());
  expect_usage_error(infer(project, {"data/images"}, "x", {"--contours", "svg"}), "leaf_infer",
                     {"--contours", "'svg'", "geojson"});
}

TEST(InferOutputs, LabelsNumberTheMasksParts) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "out", {"--labels"}).exit_code, 0);
  const at::Tensor labels = data::read_mask(project / "out/labels/0001.png").to(at::kInt);
  const at::Tensor mask = data::read_mask(project / "out/0001.png");
  EXPECT_TRUE(labels.equal(data::numbered_parts(mask)));
  EXPECT_TRUE(labels.ne(0).equal(mask.ne(0)));
  ASSERT_EQ(infer(project, {"out"}, "again").exit_code, 0);
  EXPECT_EQ(project.json("again/summary.json")["images"].size(), 4U) << "labels are no images";
}

TEST(InferOutputs, StapleIsTheConsensusOfTheSamplesMasks) {
  const TinyProject project;
  project.with_model();
  const std::string image = "data/images/0001.png";
  const std::vector<std::string> options{"--seeds", "5", "--probabilities", "npy", "--ensemble"};
  const auto with = [&](const std::string& ensemble) {
    std::vector<std::string> words = options;
    words.push_back(ensemble);
    ASSERT_EQ(infer(project, {image}, ensemble, words).exit_code, 0);
  };
  with("mean");
  with("staple");
  const Segmenter segmenter = Segmenter::load(project / "model");
  const at::Tensor input = prepare_file(segmenter, project / image).input.unsqueeze(0);
  const at::Tensor samples = segmenter.probabilities(input, {"0001"}, 5).select(1, 0);
  const at::Tensor expected = staple(segmenter.labels(samples)).probability;
  EXPECT_TRUE(read_npy(project / "staple/probabilities/0001.npy", 64, 64).equal(expected));
  EXPECT_TRUE(data::read_mask(project / "staple/0001.png").ne(0).equal(expected.gt(0.5)));
  EXPECT_FALSE(read_npy(project / "mean/probabilities/0001.npy", 64, 64).equal(expected));
  EXPECT_NE(test::audit_records(project, "mean")[0]["settings_sha256"],
            test::audit_records(project, "staple")[0]["settings_sha256"]);
}

TEST(InferOutputs, SeveralSeedsGiveTheirMeanAndItsEntropy) {
  const TinyProject project;
  project.with_model();
  const std::string image = "data/images/0001.png";
  ASSERT_EQ(infer(project, {image}, "one", {"--probabilities", "npy"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(project / "one/uncertainty"));
  ASSERT_EQ(infer(project, {image}, "three", {"--probabilities", "npy", "--seeds", "3"}).exit_code,
            0);
  const Segmenter segmenter = Segmenter::load(project / "model");
  const PreparedFile file = prepare_file(segmenter, project / image);
  const at::Tensor input = file.input.unsqueeze(0);
  const at::Tensor samples = segmenter.probabilities(input, {"0001"}, 3);
  EXPECT_TRUE(samples[0].equal(segmenter.probability(input, ImageNames{"0001"})));
  EXPECT_TRUE(
      samples[1].equal(segmenter.probability(input, segmenter.starting_noise(input, {"0001"}, 1))));
  EXPECT_FALSE(samples[0].equal(samples[1]));
  const at::Tensor mean = samples.mean(0)[0][0];
  const at::Tensor written = read_npy(project / "three/probabilities/0001.npy", 64, 64);
  EXPECT_LT((written - mean).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(samples[0][0][0].equal(read_npy(project / "one/probabilities/0001.npy", 64, 64)));
  EXPECT_TRUE(data::read_mask(project / "three/0001.png")
                  .ne(0)
                  .equal(segmenter.labels(mean.unsqueeze(0)).ne(0)));
  const at::Tensor bits = data::read_mask(project / "three/uncertainty/0001.png");
  const at::Tensor expected = entropy(mean).mul(65535);
  EXPECT_LT((bits.to(at::kFloat) - expected).abs().max().item<double>(), 1.01);
  EXPECT_EQ(project.json("three/summary.json")["options"]["seeds"], 3);
}

TEST(InferOutputs, EntropyIsInBits) {
  const at::Tensor values = entropy(at::tensor({0.0F, 0.5F, 1.0F, 0.25F}));
  EXPECT_TRUE(at::allclose(values, at::tensor({0.0F, 1.0F, 0.0F, 0.8112781F})));
}

TEST(InferOutputs, TheBatchSizeMayBeChosen) {
  const TinyProject project;
  project.with_model();
  ASSERT_EQ(infer(project, {"data/images"}, "auto", {"--batch-size", "auto"}).exit_code, 0);
  ASSERT_EQ(infer(project, {"data/images"}, "one").exit_code, 0);
  EXPECT_EQ(project.json("auto/summary.json")["options"]["batch_size"], "auto");
  EXPECT_TRUE(read_file(project / "auto/0001.png") == read_file(project / "one/0001.png"));
  for (const std::string wrong : {"0", "1025", "many", "-1"}) {
    expect_usage_error(infer(project, {"data/images"}, "x", {"--batch-size", wrong}), "leaf_infer",
                       {"--batch-size", wrong});
  }
}

}  // namespace leaf
