#include "models/unet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "support/golden.h"
#include "support/small_networks.h"

namespace leaf::models {
namespace {

using test::largest_difference;
using test::normal;
using test::Shape;

at::Tensor timesteps(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

/// A network whose every layer shows in the output, unlike a fresh one.
std::shared_ptr<UNet> formula_unet(const UNetConfig& config) {
  auto unet = std::make_shared<UNet>(config);
  test::fill_by_formula(*unet, "unet.");
  unet->eval();
  return unet;
}

}  // namespace

TEST(UNet, KeepsBatchAndSide) {
  const at::NoGradGuard no_grad;
  for (const std::int64_t latent_channels : {4, 16}) {
    const auto unet = formula_unet(test::small_unet(latent_channels));
    const at::Tensor y =
        unet->forward(normal({3, 2 * latent_channels, 6, 10}), timesteps({0, 500, 999}));
    EXPECT_EQ(y.sizes().vec(), (Shape{3, latent_channels, 6, 10}));
    EXPECT_TRUE(at::isfinite(y).all().item<bool>());
    EXPECT_GT(y.std().item<double>(), 0.01);
  }
}

TEST(UNet, SamplesOfABatchAreIndependent) {
  const at::NoGradGuard no_grad;
  const auto unet = formula_unet(test::small_unet());
  const at::Tensor x = normal({3, 8, 6, 10});
  const at::Tensor batch = unet->forward(x, timesteps({3, 700, 999}));
  const at::Tensor alone = unet->forward(x.narrow(0, 1, 1), timesteps({700}));
  EXPECT_LT(largest_difference(batch.narrow(0, 1, 1), alone), 2e-5);
  const at::Tensor other_time = unet->forward(x.narrow(0, 1, 1), timesteps({3}));
  EXPECT_GT(largest_difference(other_time, alone), 1e-3);
}

TEST(UNet, FreshOutputIsZero) {
  const at::NoGradGuard no_grad;
  const auto unet = std::make_shared<UNet>(test::small_unet());
  nn::initialise(*unet, 1);
  const at::Tensor y = unet->forward(normal({2, 8, 4, 4}), timesteps({10, 990}));
  EXPECT_TRUE(at::equal(y, at::zeros({2, 4, 4, 4})));
}

TEST(UNet, ChannelsLastIsTheSameNetwork) {
  const at::NoGradGuard no_grad;
  const auto unet = formula_unet(test::small_unet());
  const at::Tensor x = normal({2, 8, 8, 8});
  const at::Tensor expected = unet->forward(x, timesteps({1, 999}));
  nn::to_channels_last(*unet);
  const at::Tensor y =
      unet->forward(x.contiguous(at::MemoryFormat::ChannelsLast), timesteps({1, 999}));
  EXPECT_LT(largest_difference(y, expected), 1e-4);
}

TEST(UNet, DropoutIsForTrainingAlone) {
  const at::NoGradGuard no_grad;
  UNetConfig config = test::small_unet();
  config.dropout = 0.5;
  const auto unet = formula_unet(config);
  const at::Tensor x = normal({1, 8, 4, 4});
  const auto run = [&] { return unet->forward(x, timesteps({5})); };
  EXPECT_TRUE(at::equal(run(), run()));
  unet->train();
  EXPECT_FALSE(at::equal(run(), run()));
}

TEST(UNet, FoldedTimestepsAreTheSameNetwork) {
  const at::NoGradGuard no_grad;
  const auto unet = formula_unet(test::small_unet());
  const at::Tensor x = normal({2, 8, 6, 10});
  const std::vector<at::Tensor> all = {timesteps({999, 999}), timesteps({500, 500}),
                                       timesteps({999, 500})};
  std::vector<at::Tensor> plain;
  for (const at::Tensor& timestep : all) {
    plain.push_back(unet->forward(x, timestep));
  }
  unet->fold_timesteps({500, 999});
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_LT(largest_difference(unet->forward(x, all[i]), plain[i]), 1e-5) << i;
  }
  // What is folded is not computed again.
  unet->named_parameters()["time_embed.0.weight"].zero_();
  EXPECT_LT(largest_difference(unet->forward(x, all[0]), plain[0]), 1e-5);
  EXPECT_GT(largest_difference(unet->forward(x, all[2]), plain[2]), 1e-3);
}

TEST(UNet, RecordsActivationsByCheckpointName) {
  const at::NoGradGuard no_grad;
  const auto unet = formula_unet(test::small_unet());
  nn::Activations activations({"input_blocks.0", "input_blocks.2", "input_blocks.3", "middle_block",
                               "output_blocks.1", "output_blocks.3"});
  unet->forward(normal({2, 8, 8, 12}), timesteps({1, 2}), &activations);
  const auto shape = [&](const char* name) { return activations.at(name).sizes().vec(); };
  EXPECT_EQ(shape("input_blocks.0"), (Shape{2, 32, 8, 12}));
  EXPECT_EQ(shape("input_blocks.2"), (Shape{2, 32, 4, 6}));
  EXPECT_EQ(shape("input_blocks.3"), (Shape{2, 64, 4, 6}));
  EXPECT_EQ(shape("middle_block"), (Shape{2, 64, 4, 6}));
  EXPECT_EQ(shape("output_blocks.1"), (Shape{2, 64, 8, 12}));
  EXPECT_EQ(shape("output_blocks.3"), (Shape{2, 32, 8, 12}));
  EXPECT_THROW(activations.at("output_blocks.0"), std::out_of_range);
}

TEST(AlignmentTap, IsTheFirstBlockOfHalfTheSide) {
  const AlignmentTap published = alignment_tap({});
  EXPECT_EQ(published.name, "input_blocks.3");
  EXPECT_EQ(published.channels, 192);

  const at::NoGradGuard no_grad;
  const AlignmentTap tap = alignment_tap(test::small_unet());
  EXPECT_EQ(tap.name, "input_blocks.2");
  nn::Activations activations({tap.name, "input_blocks.1"});
  formula_unet(test::small_unet())->forward(normal({1, 8, 8, 8}), timesteps({1}), &activations);
  EXPECT_EQ(activations.at(tap.name).sizes().vec(), (Shape{1, tap.channels, 4, 4}));
  EXPECT_EQ(activations.at("input_blocks.1").size(2), 8);
}

TEST(TimestepEmbedding, IsCosinesThenSines) {
  constexpr std::int64_t kDim = 6;
  constexpr std::int64_t kHalf = kDim / 2;
  const std::vector<std::int64_t> times{0, 7, 999};
  const at::Tensor embedding = timestep_embedding(timesteps(times), kDim);
  ASSERT_EQ(embedding.sizes().vec(), (Shape{3, kDim}));
  for (std::int64_t n = 0; n < 3; ++n) {
    for (std::int64_t k = 0; k < kHalf; ++k) {
      const double frequency = std::exp(-std::log(10000.0) * static_cast<double>(k) / kHalf);
      const double angle = static_cast<double>(times[static_cast<std::size_t>(n)]) * frequency;
      EXPECT_NEAR(embedding[n][k].item<double>(), std::cos(angle), 1e-4) << n << " " << k;
      EXPECT_NEAR(embedding[n][kHalf + k].item<double>(), std::sin(angle), 1e-4) << n << " " << k;
    }
  }
}

TEST(WidenInput, EqualHalvesGiveTheNarrowOutput) {
  const at::Tensor weight = normal({5, 4, 3, 3}, 1);
  const at::Tensor x = normal({2, 4, 6, 6}, 2);
  const at::Tensor wide = widen_input(weight, InputWidening::kHalved);
  ASSERT_EQ(wide.sizes().vec(), (Shape{5, 8, 3, 3}));
  const at::Tensor y = at::conv2d(at::cat({x, x}, 1), wide, {}, 1, 1);
  EXPECT_LT(largest_difference(y, at::conv2d(x, weight, {}, 1, 1)), 1e-4);
}

TEST(WidenInput, ZerosKeepTheMasksFilters) {
  const at::Tensor weight = normal({5, 4, 3, 3}, 1);
  const at::Tensor wide = widen_input(weight, InputWidening::kZeros);
  ASSERT_EQ(wide.sizes().vec(), (Shape{5, 8, 3, 3}));
  EXPECT_TRUE(at::equal(wide.narrow(1, 4, 4), weight));  // the mask's latent comes second
  EXPECT_FALSE(wide.narrow(1, 0, 4).any().item<bool>());
}

}  // namespace leaf::models
