// leaf_convert verify: the published implementation's numbers, a disturbed weight, what lacks.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>

#include "leaf/core/files.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "support/golden.h"
#include "tiny_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::Outcome;

/// A model folder with the golden numbers' small networks, and what the published implementation
/// says of them.
class ConvertVerify : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<test::TemporaryFolder>();
    save_model(*folder_ / "model", test::formula_model(test::small_golden_description()));
    io::TensorMap recorded = test::golden_activations(test::golden_fixture());
    std::erase_if(recorded, [](const auto& item) {  // the fixture has every other pixel of these
      return item.first == "vae.decoded" || item.first.starts_with("pipeline.");
    });
    io::write_safetensors(*folder_ / "activations.safetensors", recorded);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static fs::path path(const char* name) { return *folder_ / name; }

  static Outcome verify(const char* activations, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"verify", path("model").string(), "--activations", path(activations).string()});
    return test::run_cpu("leaf_convert", more);
  }

  static std::unique_ptr<test::TemporaryFolder> folder_;
};

std::unique_ptr<test::TemporaryFolder> ConvertVerify::folder_;

/// The line of the table that starts with `name`.
std::string row(const Outcome& outcome, const std::string& name) {
  const auto start = outcome.out.find("\n" + name + " ");
  if (start == std::string::npos) {
    return "no row " + name + " in\n" + outcome.out;
  }
  return outcome.out.substr(start + 1, outcome.out.find('\n', start + 1) - start - 1);
}

}  // namespace

TEST_F(ConvertVerify, ThePublishedImplementationsNumbers) {
  const Outcome outcome = verify("activations.safetensors");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
  EXPECT_TRUE(row(outcome, "unet.output").ends_with(" ok")) << outcome.out;
  EXPECT_NE(row(outcome, "unet.input_blocks.3").find("[1, 32, 16, 16]"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("\n7 ok, 0 missed, 0 not computed; tolerance 0.0001\n"),
            std::string::npos)
      << outcome.out;
}

TEST_F(ConvertVerify, ATightToleranceIsMissed) {
  const Outcome outcome = verify("activations.safetensors", {"--tolerance", "1e-12"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out;
}

TEST_F(ConvertVerify, ADisturbedWeightIsFound) {
  const fs::path file = path("model") / "unet/diffusion_pytorch_model.safetensors";
  const fs::path aside = path("aside");
  fs::rename(file, aside);
  io::TensorMap unet = io::read_weights(aside);
  unet["middle_block.1.proj_out.weight"] = unet["middle_block.1.proj_out.weight"] * 1.1;
  io::write_safetensors(file, unet);
  const Outcome outcome = verify("activations.safetensors");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_TRUE(row(outcome, "unet.input_blocks.3").ends_with(" ok")) << outcome.out;
  EXPECT_TRUE(row(outcome, "unet.middle_block").ends_with(" MISS")) << outcome.out;
  fs::rename(aside, file);
}

TEST_F(ConvertVerify, AFileThatSaysNothingOfUs) {
  io::write_safetensors(path("other.safetensors"), {{"features", at::zeros({1})}});
  const Outcome outcome = verify("other.safetensors");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(row(outcome, "features").ends_with("not computed")) << outcome.out;
  EXPECT_NE(outcome.out.find("nothing could be compared"), std::string::npos) << outcome.out;
}

TEST_F(ConvertVerify, WhatCannotBeRead) {
  const auto expect_error = [](const char* file, const std::string& reason) {
    const Outcome outcome = verify(file);
    test::expect_usage_error(outcome, "leaf_convert",
                             {"--activations: cannot read weights from '", file, reason});
  };
  expect_error("missing.safetensors", "no such file");
  write_file(path("damaged.safetensors"), "not tensors");
  expect_error("damaged.safetensors", "");
}

}  // namespace leaf
