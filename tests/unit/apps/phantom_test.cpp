#include "leaf_demo_data/phantom.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "data/registry.h"
#include "leaf/core/error.h"
#include "leaf/data/mask_values.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::apps {
namespace {

constexpr std::int64_t kSize = 48;

double dice_of(const at::Tensor& prediction, const at::Tensor& truth) {
  const double both = prediction.logical_and(truth).sum().item<double>();
  return 2 * both / (prediction.sum().item<double>() + truth.sum().item<double>());
}

/// The best that any threshold, of either direction, chosen knowing the truth, can do on one image.
double best_threshold_dice(const Phantom& phantom) {
  const at::Tensor grey = phantom.image.to(at::kFloat).mean(2);
  const at::Tensor truth = phantom.mask.ne(0);
  double best = 0;
  for (int threshold = 10; threshold < 250; threshold += 10) {
    best = std::max({best, dice_of(grey.gt(threshold), truth), dice_of(grey.le(threshold), truth)});
  }
  return best;
}

TEST(Phantom, IsAFunctionOfSeedAndIndex) {
  const Phantom a = make_phantom(kSize, 7, 3);
  EXPECT_TRUE(a.image.equal(make_phantom(kSize, 7, 3).image));
  EXPECT_TRUE(a.mask.equal(make_phantom(kSize, 7, 3).mask));
  EXPECT_FALSE(a.image.equal(make_phantom(kSize, 7, 4).image));
  EXPECT_FALSE(a.image.equal(make_phantom(kSize, 8, 3).image));
}

TEST(Phantom, TargetsAreOfSensibleSizeAndSomeAreMissing) {
  int empty = 0;
  constexpr int kCount = 60;
  for (int i = 0; i < kCount; ++i) {
    const at::Tensor mask = make_phantom(kSize, 1, i).mask;
    EXPECT_TRUE(mask.eq(0).logical_or(mask.eq(255)).all().item<bool>());
    const double share = mask.ne(0).to(at::kDouble).mean().item<double>();
    empty += share == 0 ? 1 : 0;
    EXPECT_TRUE(share == 0 || (share > 0.01 && share < 0.35)) << i << ": " << share;
  }
  EXPECT_GE(empty, 2);
  EXPECT_LE(empty, 12);
}

TEST(Phantom, NoThresholdFindsTheTarget) {
  double sum = 0;
  int count = 0;
  for (int i = 0; i < 30; ++i) {
    const Phantom phantom = make_phantom(kSize, 1, i);
    if (phantom.mask.ne(0).any().item<bool>()) {
      sum += best_threshold_dice(phantom);
      ++count;
    }
  }
  EXPECT_LT(sum / count, 0.75);
}

TEST(Phantom, FilesMakeADataset) {
  const test::TemporaryFolder folder;
  write_phantoms(folder.path(), 3, kSize, 5);
  data::DataConfig config;
  config.root = folder.path();
  const auto pairs = data::list_pairs(config).pairs;
  ASSERT_EQ(pairs.size(), 3U);
  EXPECT_EQ(pairs[0].name, "0001");
  EXPECT_TRUE(data::read_image(pairs[1].image).rgb.equal(make_phantom(kSize, 5, 2).image));
  EXPECT_TRUE(data::read_mask(pairs[1].mask).equal(make_phantom(kSize, 5, 2).mask));
}

TEST(Phantom, ImpossibleRequests) {
  EXPECT_THROW(write_phantoms("/tmp", 0, kSize, 1), ConfigError);
  EXPECT_THROW(write_phantoms("/tmp", 1, 4, 1), ConfigError);
}

}  // namespace
}  // namespace leaf::apps
