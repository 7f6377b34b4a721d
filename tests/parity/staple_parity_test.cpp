// STAPLE against SimpleITK's: tests/parity/make_staple_fixtures.py.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "leaf/core/files.h"
#include "pipeline/inference/staple.h"

namespace leaf {
namespace {

constexpr double kTolerance = 1e-5;

/// bool [K,H,W] of masks as rows of 0 and 1.
at::Tensor masks_of(const nlohmann::json& masks) {
  std::vector<std::uint8_t> pixels;
  for (const auto& mask : masks) {
    for (const std::string row : mask) {
      for (const char bit : row) {
        pixels.push_back(bit == '1' ? 1 : 0);
      }
    }
  }
  const auto count = static_cast<std::int64_t>(masks.size());
  const auto height = static_cast<std::int64_t>(masks[0].size());
  return at::tensor(pixels).view({count, height, -1}).to(at::kBool);
}

void expect_near(const std::vector<double>& ours, const std::vector<double>& theirs) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i], theirs[i], kTolerance) << i;
  }
}

}  // namespace

TEST(StapleParity, EstimatesWhatSimpleItkDoes) {
  const auto cases = nlohmann::json::parse(read_file(LEAF_FIXTURES "/metrics/staple.json"));
  ASSERT_EQ(cases.size(), 5U);
  for (const auto& one : cases) {
    const at::Tensor masks = masks_of(one["masks"]);
    const Staple ours = staple(masks);
    const auto* first = ours.probability.const_data_ptr<float>();
    expect_near({first, first + ours.probability.numel()},
                one["probability"].get<std::vector<double>>());
    expect_near(ours.sensitivity, one["sensitivity"].get<std::vector<double>>());
    expect_near(ours.specificity, one["specificity"].get<std::vector<double>>());
  }
}

TEST(StapleParity, MasksThatAgreeAreTheTruth) {
  const at::Tensor none = at::zeros({3, 4, 5}, at::kBool);
  EXPECT_EQ(staple(none).probability.max().item<float>(), 0);
  EXPECT_EQ(staple(none.logical_not()).probability.min().item<float>(), 1);
  const at::Tensor mask = at::arange(20).view({4, 5}).gt(11);
  EXPECT_TRUE(staple(mask.expand({7, 4, 5})).probability.gt(0.5).equal(mask));
  EXPECT_TRUE(staple(mask.unsqueeze(0)).probability.gt(0.5).equal(mask));
}

TEST(StapleParity, OneThatErrsIsOverruled) {
  const at::Tensor mask = at::arange(20).view({4, 5}).gt(11);
  const Staple result = staple(at::stack({mask, mask, mask.logical_not()}));
  EXPECT_TRUE(result.probability.gt(0.5).equal(mask));
  EXPECT_GT(result.sensitivity[0], 0.99);
  EXPECT_LT(result.sensitivity[2], 0.01);
}

}  // namespace leaf
