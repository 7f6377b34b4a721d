#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/segment_volume.h"
#include "support/images.h"
#include "support/volumes.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_parts;
using test::expect_usage_error;
using test::infer;
using test::read_slices;
using test::TinyProject;

/// A volume whose slices are phantoms, 3x40x56 voxels.
at::Tensor voxels() {
  std::vector<at::Tensor> slices;
  for (std::int64_t i = 1; i <= 3; ++i) {
    slices.push_back(test::phantom(i, 40, 56).select(2, 0));
  }
  return at::stack(slices);
}

}  // namespace

TEST(InferVolumes, AMaskIsThatOfItsSlicesInTheFilesGeometry) {
  const TinyProject project;
  project.with_model();
  test::write_axial(project / "in/sub/v.nii.gz", voxels());
  data::write_png(project / "in/picture.png", test::phantom(1, 40, 56));
  const auto outcome =
      infer(project, {"in"}, "out", {"--probabilities", "--overlays", "--batch-size", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_parts(outcome.err, {"v.nii.gz' is a volume, of which no overlays/ are made", "2 images"});
  test::expect_mask(project / "out/picture.png", 40, 56);
  const at::Tensor mask = read_slices(project / "out/sub/v.nii.gz");
  const at::Tensor probability = read_slices(project / "out/probabilities/sub/v.nii.gz");
  const Segmenter segmenter = Segmenter::load(project / "model");
  const auto volume = data::open_volume(project / "in/sub/v.nii.gz");
  for (std::int64_t i = 0; i < 3; ++i) {
    const at::Tensor rgb = data::read_slice(*volume, i, {}).rgb;
    const Segmentation slice = segmenter.segment(rgb, data::slice_name("v", i));
    EXPECT_TRUE(slice.mask.ne(0).to(at::kByte).equal(mask[i])) << i;
    EXPECT_TRUE(slice.probability.equal(probability[i])) << i;
  }
  EXPECT_TRUE(mask.any().item<bool>() && !mask.all().item<bool>());
  EXPECT_EQ(data::open_volume(project / "out/sub/v.nii.gz")->geometry().affine,
            volume->geometry().affine);
  const VolumeSegmentation library = segment_volume(segmenter, *volume, "sub/v", {}, true);
  EXPECT_TRUE(library.labels.equal(mask));
  EXPECT_TRUE(library.probability.equal(probability));
  const auto record = test::audit_records(project, "out")[1];
  EXPECT_EQ(record["slices"], 3);
  EXPECT_EQ(record["height"], 40);
  EXPECT_EQ(project.json("out/summary.json")["images"][1]["slices"], 3);
}

TEST(InferVolumes, MasksOfTheSameBodyAreTheSameInTheWorld) {
  const TinyProject project;
  project.with_model();
  const at::Tensor body = voxels();
  test::write_axial(project / "in/v.nii.gz", body);
  const data::VolumeGeometry axial = test::axial_geometry({56, 40, 3});
  data::VolumeGeometry turned{{3, 56, 40}, {}};  // k, i and j of the other, i backwards
  for (std::size_t row = 0; row < 3; ++row) {
    turned.affine[row] = {axial.affine[row][2], -axial.affine[row][0], axial.affine[row][1],
                          axial.affine[row][3] + 55 * axial.affine[row][0]};
  }
  const test::PlainVolume other(turned);
  data::write_volume(project / "turned/v.nii.gz", other, body);
  ASSERT_EQ(infer(project, {"in"}, "a").exit_code, 0);
  ASSERT_EQ(infer(project, {"turned"}, "b").exit_code, 0);
  EXPECT_TRUE(read_slices(project / "a/v.nii.gz").equal(read_slices(project / "b/v.nii.gz")));
  EXPECT_EQ(data::open_volume(project / "b/v.nii.gz")->geometry().affine, turned.affine);
  EXPECT_EQ(data::open_volume(project / "b/v.nii.gz")->geometry().size, turned.size);
}

TEST(InferVolumes, SeedsTilesAndSkippingWorkAsForImages) {
  const TinyProject project;
  project.with_model();
  test::write_axial(project / "in/v.nii", voxels());
  const std::vector<std::string> more{"--seeds", "2", "--tile", "32"};
  ASSERT_EQ(infer(project, {"in/v.nii"}, "out", more).exit_code, 0);
  EXPECT_EQ(read_slices(project / "out/uncertainty/v.nii").scalar_type(), at::kFloat);
  const std::string before = read_file(project / "out/v.nii");
  auto again = more;
  again.push_back("--skip-existing");
  const auto outcome = infer(project, {"in/v.nii"}, "out", again);
  expect_parts(outcome.err, {"1 skipped"});
  EXPECT_EQ(read_file(project / "out/v.nii"), before);
  expect_usage_error(infer(project, {"in/v.nii"}, "model-size", {"--output-size", "model"}),
                     "leaf_infer", {"a volume's mask has the volume's size"});
}

TEST(InferVolumes, ADamagedVolumeIsItsOwnFailure) {
  const TinyProject project;
  project.with_model();
  test::write_axial(project / "in/b.nii", voxels());
  write_file(project / "in/a.nii", read_file(project / "in/b.nii").substr(0, 2000));
  const auto outcome = infer(project, {"in"}, "out");
  EXPECT_EQ(outcome.exit_code, 1);
  expect_parts(outcome.err, {"in/a.nii'", "ends early", "1 image segmented, 1 failed"});
  EXPECT_TRUE(fs::exists(project / "out/b.nii"));
  EXPECT_FALSE(fs::exists(project / "out/a.nii"));
}

TEST(InferVolumes, AVolumeAboveTheLimitIsRefused) {
  const TinyProject project;
  project.with_model();
  test::write_axial(project / "in/a.nii", voxels());
  const std::int64_t count = voxels().numel();
  const auto limited = [&](std::int64_t most) {
    return infer(project, {"in"}, "out", {"--max-voxels", std::to_string(most)});
  };
  const auto refused = limited(count - 1);
  EXPECT_EQ(refused.exit_code, 1);
  expect_parts(refused.err, {"in/a.nii'", "--max-voxels", "1 failed"});
  EXPECT_EQ(limited(count).exit_code, 0);
}

TEST(InferVolumes, PredictionsHaveTheNamesOfTheCases) {
  const TinyProject project;
  project.with_model();
  write_file(project / "set/dataset.json", "{}");
  test::write_axial(project / "set/imagesTs/case_1_0000.nii.gz", voxels());
  data::write_png(project / "set/imagesTs/case_2_0000.png", test::phantom(1, 40, 56));
  const auto outcome = infer(project, {"set/imagesTs"}, "out");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(project / "out/case_1.nii.gz"));
  EXPECT_TRUE(fs::exists(project / "out/case_2.png"));
}

TEST(InferVolumes, VolumesAreScoredByTheirVoxels) {
  const TinyProject project;
  const at::Tensor truth = at::zeros({2, 4, 4}, at::kByte);
  truth[0].fill_(1);
  const at::Tensor prediction = truth.clone();
  prediction[1][0].fill_(1);
  test::write_axial(project / "truths/v.nii.gz", truth);
  test::write_axial(project / "masks/v.nii.gz", prediction);
  const std::vector<std::string> folders{"--predictions",  project.path("masks"),
                                         "--ground-truth", project.path("truths"),
                                         "--output",       project.path("eval")};
  const auto outcome = test::run_cpu("leaf_eval", folders);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(read_file(project / "eval/scores.csv").find("\nv,0.88888"), std::string::npos);
  expect_parts(outcome.err, {"is a volume, whose voxels are counted"});
}

}  // namespace leaf
