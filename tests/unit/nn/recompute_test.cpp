#include "nn/recompute.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>

#include "leaf/core/random.h"
#include "models/autoencoder_kl.h"
#include "models/unet.h"
#include "nn/module.h"
#include "support/small_networks.h"

namespace leaf {
namespace {

/// The gradients of everything that a network's result depends on.
std::vector<at::Tensor> gradients(torch::nn::Module& network, const at::Tensor& loss,
                                  const at::Tensor& x) {
  loss.backward();
  std::vector<at::Tensor> all{x.grad().clone()};
  for (const at::Tensor& parameter : network.parameters()) {
    EXPECT_TRUE(parameter.grad().defined());
    all.push_back(parameter.grad().clone());
    parameter.mutable_grad().reset();
  }
  return all;
}

void expect_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i])) << i;
  }
}

/// A loss with two uses of an early map, as the alignment has it.
std::vector<at::Tensor> unet_gradients(models::UNet& unet, const at::Tensor& x) {
  seed_dropout(1, 1);
  const at::Tensor input = x.detach().set_requires_grad(true);
  nn::Activations activations({"input_blocks.2"});
  const at::Tensor y =
      unet.forward(input, at::tensor(std::vector<std::int64_t>{3, 700}, at::kLong), &activations);
  return gradients(unet, y.square().sum() + activations.at("input_blocks.2").abs().sum(), input);
}

models::UNetConfig config(double dropout) {
  models::UNetConfig config = test::small_unet();
  config.dropout = dropout;
  config.attention_resolutions = {1, 2};
  return config;
}

/// Fresh networks end in zeros, which would hide what comes before them.
void fill(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  std::uint64_t seed = 0;
  for (const at::Tensor& parameter : module.parameters()) {
    parameter.copy_(test::normal(parameter.sizes(), ++seed) * 0.05);
  }
  nn::to_channels_last(module);
}

}  // namespace

TEST(Recompute, UNetGradientsAreTheSameToTheBit) {
  for (const double dropout : {0.0, 0.3}) {
    const auto network = std::make_shared<models::UNet>(config(dropout));
    models::UNet& unet = *network;
    fill(unet);
    const at::Tensor x = test::normal({2, 8, 16, 16}).contiguous(at::MemoryFormat::ChannelsLast);
    const auto expected = unet_gradients(unet, x);
    nn::recompute_blocks(unet);
    expect_equal(unet_gradients(unet, x), expected);
  }
}

TEST(Recompute, EncoderGradientsAreTheSameToTheBit) {
  const auto network = std::make_shared<models::KlLatentEncoder>(test::small_kl(), 0.2);
  models::KlLatentEncoder& encoder = *network;
  fill(encoder);
  const at::Tensor x = test::images(2, 32, 32);
  const auto run = [&] {
    seed_dropout(1, 1);
    const at::Tensor input =
        x.detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(true);
    return gradients(encoder, encoder.moments(input).square().sum(), input);
  };
  const auto expected = run();
  nn::recompute_blocks(encoder);
  expect_equal(run(), expected);
}

TEST(Recompute, FollowingRandomNumbersStayWhatTheyWere) {
  const auto network = std::make_shared<models::UNet>(config(0.3));
  models::UNet& unet = *network;
  fill(unet);
  const at::Tensor x = test::normal({2, 8, 16, 16});
  unet_gradients(unet, x);
  const at::Tensor expected = at::rand({8});
  nn::recompute_blocks(unet);
  unet_gradients(unet, x);
  EXPECT_TRUE(at::equal(at::rand({8}), expected));
}

TEST(Recompute, OnlyWhileItLearns) {
  const auto network = std::make_shared<models::UNet>(config(0.0));
  models::UNet& unet = *network;
  fill(unet);
  const at::Tensor x = test::normal({2, 8, 16, 16});
  const at::Tensor t = at::tensor(std::vector<std::int64_t>{3, 700}, at::kLong);
  const at::NoGradGuard no_grad;
  unet.eval();
  const at::Tensor expected = unet.forward(x, t);
  nn::recompute_blocks(unet);
  EXPECT_TRUE(at::equal(unet.forward(x, t), expected));
  unet.train();
  EXPECT_FALSE(unet.forward(x, t).requires_grad());
}

}  // namespace leaf
