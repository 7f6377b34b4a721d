// The networks, the scheduler and the whole pipeline against numbers of the published
// implementation.
#include "support/golden.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/pipeline/segmenter.h"
#include "leaf/pipeline/verify.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "support/test_device.h"

namespace leaf {
namespace {

/// The fixture holds every other row and column of large maps: those of ours.
at::Tensor at_pixels_of(const at::Tensor& theirs, const at::Tensor& ours) {
  const std::int64_t step = ours.size(-1) / theirs.size(-1);
  return step == 1 ? ours : ours.slice(-2, 0, {}, step).slice(-1, 0, {}, step);
}

void expect_golden(const std::filesystem::path& folder, const ModelDescription& description,
                   const SegmenterOptions& options, double tolerance) {
  const io::TensorMap recorded = test::golden_activations(folder);
  TrainingModel model = test::formula_model(description);
  prepare_for_inference(model, options);
  const io::TensorMap computed = compute_activations(model, recorded, options);
  for (const auto& [name, theirs] : recorded) {
    if (name.starts_with("input.")) {
      continue;
    }
    ASSERT_TRUE(computed.contains(name)) << name;
    const at::Tensor ours = computed.at(name).to(at::kCPU, at::kFloat);
    const double error = relative_error(at_pixels_of(theirs, ours), theirs);
    std::cout << "  " << name << "  relative error " << error << "\n";
    EXPECT_LE(error, tolerance) << name;
  }
}

void expect_complete_set(const std::string& part, const ModelDescription& description) {
  const auto folder = test::golden_folder(part);
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder '" << part << "'";
  }
  expect_golden(*folder, description, {.device = test::test_device()},
                test::kFloat32Tolerance.network);
}

}  // namespace

TEST(Golden, SmallNetworks) {
  expect_golden(test::golden_fixture(), test::small_golden_description(),
                {.device = test::test_device()}, test::kFloat32Tolerance.network);
}

TEST(Golden, SmallNetworksInBFloat16) {
  expect_golden(test::golden_fixture(), test::small_golden_description(),
                {.device = test::test_device(), .precision = Precision::kBFloat16},
                test::kBFloat16Tolerance.network);
}

TEST(Golden, SmallNetworksInFloat16) {
  expect_golden(test::golden_fixture(), test::small_golden_description(),
                {.device = test::test_device(), .precision = Precision::kFloat16},
                test::kHalfTolerance.network);
}

TEST(Golden, SmallNetworksInTensorFloat32) {
  if (!test::test_device().is_cuda()) {
    GTEST_SKIP() << "LEAF_TEST_DEVICE names no GPU";
  }
  const SegmenterOptions options{.device = test::test_device()};
  at::globalContext().setAllowTF32CuBLAS(true);
  at::globalContext().setAllowTF32CuDNN(true);
  expect_golden(test::golden_fixture(), test::small_golden_description(), options,
                test::kTensorFloat32Tolerance.network);
  set_up_gpu(options.device);
}

TEST(Golden, SmallNetworksOnTheCompleteSet) {
  expect_complete_set("small", test::small_golden_description());
}

TEST(Golden, FullSizeNetworks) { expect_complete_set("full", ModelDescription{}); }

TEST(Golden, PublishedFolderEqualsTheFormula) {
  const auto folder = test::golden_folder("small");
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder 'small'";
  }
  const TrainingModel loaded = load_training_model(*folder / "pipeline");
  const TrainingModel made = test::formula_model(test::small_golden_description());
  for (const auto& [ours, theirs] :
       {std::pair<torch::nn::Module*, torch::nn::Module*>{loaded.unet.get(), made.unet.get()},
        {loaded.autoencoder.get(), made.autoencoder.get()},
        {loaded.latent_encoder.get(), made.latent_encoder.get()}}) {
    const auto expected = theirs->named_parameters();
    for (const auto& item : ours->named_parameters()) {
      EXPECT_TRUE(at::allclose(item.value(), expected[item.key()], 1e-6, 1e-7)) << item.key();
    }
  }
}

}  // namespace leaf
