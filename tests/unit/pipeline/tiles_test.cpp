#include "pipeline/inference/tiles.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace leaf {
namespace {

/// What the weights of all tiles add up to at each pixel.
at::Tensor sums(const TileAxis& axis, std::int64_t length) {
  const at::Tensor sum = at::zeros({length});
  for (std::size_t i = 0; i < axis.begins.size(); ++i) {
    sum.narrow(0, axis.begins[i], axis.weights[i].size(0)).add_(axis.weights[i]);
  }
  return sum;
}

}  // namespace

TEST(Tiles, AreSpreadEvenlyAndCoverAll) {
  using Begins = std::vector<std::int64_t>;
  EXPECT_EQ(tile_axis(100, 64, 0.5).begins, (Begins{0, 18, 36}));
  EXPECT_EQ(tile_axis(128, 64, 0).begins, (Begins{0, 64}));
  EXPECT_EQ(tile_axis(65, 64, 0.9).begins, (Begins{0, 1}));
  EXPECT_EQ(tile_axis(64, 64, 0.5).begins, (Begins{0}));
  EXPECT_EQ(tile_axis(1, 64, 0.5).begins, (Begins{0}));
  EXPECT_EQ(tile_axis(3, 1, 0.9).begins, (Begins{0, 1, 2}));
}

TEST(Tiles, WeightsAddUpToOne) {
  for (const std::int64_t length : {1, 63, 64, 65, 100, 1000}) {
    for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
      const at::Tensor sum = sums(tile_axis(length, 64, overlap), length);
      EXPECT_LT((sum - 1).abs().max().item<double>(), 1e-6) << length << " " << overlap;
    }
  }
}

TEST(Tiles, OneTileWeighsExactlyOne) {
  for (const std::int64_t length : {1, 40, 64}) {
    EXPECT_TRUE(tile_axis(length, 64, 0.5).weights.front().equal(at::ones({length}))) << length;
  }
}

TEST(Tiles, TheMiddleOfATileCountsMost) {
  const TileAxis axis = tile_axis(96, 64, 0.5);
  const at::Tensor shared = axis.weights[0].narrow(0, 32, 32);  // with the second tile
  EXPECT_TRUE(shared.narrow(0, 1, 31).lt(shared.narrow(0, 0, 31)).all().item<bool>());
  EXPECT_GT(shared[0].item<double>(), 0.99);
  EXPECT_LT(shared[-1].item<double>(), 0.01);
}

}  // namespace leaf
