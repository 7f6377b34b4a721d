#include "leaf/core/random.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace leaf {

TEST(Random, SameAddressSameNumbers) {
  EXPECT_EQ(RandomStream(1, Purpose::kNoise, 2, 3).next(),
            RandomStream(1, Purpose::kNoise, 2, 3).next());
}

TEST(Random, EveryCoordinateMatters) {
  const auto base = RandomStream(1, Purpose::kNoise, 2, 3).next();
  EXPECT_NE(base, RandomStream(2, Purpose::kNoise, 2, 3).next());
  EXPECT_NE(base, RandomStream(1, Purpose::kFlip, 2, 3).next());
  EXPECT_NE(base, RandomStream(1, Purpose::kNoise, 3, 3).next());
  EXPECT_NE(base, RandomStream(1, Purpose::kNoise, 2, 4).next());
}

TEST(Random, PurposesKeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(Purpose::kInitialisation), 1);
  EXPECT_EQ(static_cast<int>(Purpose::kDropout), 8);
  EXPECT_EQ(static_cast<int>(Purpose::kPosterior), 10);
  EXPECT_EQ(static_cast<int>(Purpose::kBootstrap), 11);
}

TEST(Random, DropoutFollowsFromSeedAndStep) {
  at::manual_seed(RandomStream(5, Purpose::kDropout, 7, 0).next());
  const at::Tensor expected = at::rand({4});
  seed_dropout(5, 7);
  EXPECT_TRUE(at::equal(at::rand({4}), expected));
  seed_dropout(5, 8);
  EXPECT_FALSE(at::equal(at::rand({4}), expected));
}

TEST(Random, NormalTensorHasUnitVariance) {
  const auto x = normal_tensor({100000}, RandomStream(7, Purpose::kNoise));
  EXPECT_NEAR(x.mean().item<double>(), 0.0, 0.02);
  EXPECT_NEAR(x.std().item<double>(), 1.0, 0.02);
  EXPECT_LT(x.abs().max().item<double>(), 6.0);
}

TEST(Random, PermutationHoldsEveryIndexOnce) {
  auto order = permutation(1000, RandomStream(1, Purpose::kShuffle));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(order[i], i);
  }
}

TEST(Random, BelowStaysBelow) {
  RandomStream stream(3, Purpose::kTimestep);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(stream.below(7), 7U);
  }
}

}  // namespace leaf
