#include "nn/module.h"

#include <gtest/gtest.h>

#include <cmath>

#include "leaf/core/error.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf::nn {
namespace {

/// A tree with one layer of each kind under "a" and, where asked, others before it.
std::shared_ptr<Group> make_tree(bool with_others = true) {
  auto root = std::make_shared<Group>();
  if (with_others) {
    root->register_module("first", std::make_shared<Linear>(100, 50));
  }
  auto a = root->register_module("a", std::make_shared<Group>());
  a->register_module("linear", std::make_shared<Linear>(100, 50));
  a->register_module("conv",
                     std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 4, .out_channels = 64}));
  a->register_module("tokens", std::make_shared<TokenConv1d>(25, 40));
  a->register_module("group_norm", std::make_shared<GroupNorm>(2, 8, 1e-5));
  a->register_module("layer_norm", std::make_shared<LayerNorm>(8, 1e-5));
  return root;
}

std::shared_ptr<Group> fresh_tree(std::uint64_t seed, bool with_others = true) {
  auto root = make_tree(with_others);
  initialise(*root, seed);
  return root;
}

at::Tensor parameter(const torch::nn::Module& module, const std::string& name) {
  return module.named_parameters()[name].detach();
}

/// Uniform within -bound and bound.
void expect_uniform(const at::Tensor& values, double bound) {
  EXPECT_LE(values.abs().max().item<double>(), bound * (1 + 1e-6));
  EXPECT_GT(values.max().item<double>(), 0.6 * bound);
  EXPECT_LT(values.min().item<double>(), -0.6 * bound);
}

}  // namespace

TEST(Initialise, IsAFunctionOfTheSeed) {
  const auto tree = fresh_tree(1);
  EXPECT_TRUE(test::differences(*tree, *fresh_tree(1)).empty());
  EXPECT_FALSE(test::differences(*tree, *fresh_tree(2)).empty());
}

TEST(Initialise, DependsOnTheLayersOwnNameAlone) {
  const auto full = fresh_tree(1);
  const auto part = fresh_tree(1, /*with_others=*/false);
  for (const auto& item : part->named_parameters()) {
    EXPECT_TRUE(at::equal(item.value(), parameter(*full, item.key()))) << item.key();
  }
  EXPECT_FALSE(at::equal(parameter(*full, "first.weight"), parameter(*full, "a.linear.weight")));
}

TEST(Initialise, HasPyTorchsBounds) {
  const auto tree = fresh_tree(3);
  expect_uniform(parameter(*tree, "a.linear.weight"), 1 / std::sqrt(100));
  expect_uniform(parameter(*tree, "a.linear.bias"), 1 / std::sqrt(100));
  expect_uniform(parameter(*tree, "a.conv.weight"), 1 / std::sqrt(4 * 9));
  expect_uniform(parameter(*tree, "a.conv.bias"), 1 / std::sqrt(4 * 9));
  expect_uniform(parameter(*tree, "a.tokens.weight"), 1 / std::sqrt(25));
  for (const char* norm : {"a.group_norm", "a.layer_norm"}) {
    EXPECT_TRUE(at::equal(parameter(*tree, std::string(norm) + ".weight"), at::ones({8})));
    EXPECT_TRUE(at::equal(parameter(*tree, std::string(norm) + ".bias"), at::zeros({8})));
  }
}

TEST(Initialise, LeavesTheLastLayerOfABranchAtZero) {
  auto root = std::make_shared<Group>();
  root->register_module("conv", std::make_shared<Conv2d>(Conv2dOptions{
                                    .in_channels = 2, .out_channels = 3, .zero_init = true}));
  root->register_module("tokens", std::make_shared<TokenConv1d>(2, 3, /*zero_init=*/true));
  initialise(*root, 1);
  for (const auto& item : root->named_parameters()) {
    EXPECT_EQ(item.value().abs().max().item<float>(), 0.0F) << item.key();
  }
}

TEST(CopyParameters, TakesThoseOfTheSameName) {
  const auto from = fresh_tree(1);
  const auto to = fresh_tree(2, /*with_others=*/false);
  copy_parameters(*from, *to);
  EXPECT_TRUE(test::differences(*to, *fresh_tree(1, false)).empty());
}

TEST(CopyParameters, NamesWhatDoesNotFit) {
  const auto copy = [](const torch::nn::Module& from, torch::nn::Module& to) {
    return test::message_of<WeightsError>([&] { copy_parameters(from, to); });
  };
  const auto missing = copy(*make_tree(/*with_others=*/false), *make_tree());
  EXPECT_NE(missing.find("'first.weight'"), std::string::npos) << missing;
  EXPECT_NE(missing.find("none of that name"), std::string::npos) << missing;

  const auto wide = std::make_shared<Linear>(4, 2);
  const auto narrow = std::make_shared<Linear>(3, 2);
  const auto misshapen = copy(*wide, *narrow);
  EXPECT_NE(misshapen.find("'weight'"), std::string::npos) << misshapen;
  EXPECT_NE(misshapen.find("another shape"), std::string::npos) << misshapen;
}

TEST(Freeze, TurnsOffGradientsAndTraining) {
  const auto tree = make_tree();
  ASSERT_TRUE(tree->is_training());
  freeze(*tree);
  for (const auto& item : tree->named_parameters()) {
    EXPECT_FALSE(item.value().requires_grad()) << item.key();
  }
  for (const auto& module : tree->modules()) {
    EXPECT_FALSE(module->is_training());
  }
}

TEST(ToChannelsLast, ChangesTheLayoutOfConvolutionsAlone) {
  const auto tree = fresh_tree(1);
  to_channels_last(*tree);
  EXPECT_TRUE(test::differences(*tree, *fresh_tree(1)).empty());
  EXPECT_TRUE(parameter(*tree, "a.conv.weight").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_FALSE(parameter(*tree, "a.conv.weight").is_contiguous());
  EXPECT_TRUE(parameter(*tree, "a.linear.weight").is_contiguous());
}

TEST(ToChannelsLast, ReachesTheLayersOwnTensors) {
  const auto conv = std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 4, .out_channels = 4});
  to_channels_last(*conv);
  EXPECT_TRUE(conv->weight.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(RoundWeights, LeavesBiasesAndNormalisationsAlone) {
  const auto tree = fresh_tree(1);
  to_channels_last(*tree);
  round_weights(*tree, at::kBFloat16);
  EXPECT_EQ(parameter(*tree, "a.conv.weight").scalar_type(), at::kBFloat16);
  EXPECT_TRUE(parameter(*tree, "a.conv.weight").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(parameter(*tree, "a.linear.weight").scalar_type(), at::kBFloat16);
  EXPECT_EQ(parameter(*tree, "a.conv.bias").scalar_type(), at::kFloat);
  EXPECT_EQ(parameter(*tree, "a.group_norm.weight").scalar_type(), at::kFloat);
}

TEST(Activations, KeepsWhatWasAskedFor) {
  Activations activations({"a.1", "a.1.b", "a.10", "a1.b", "last"});
  EXPECT_THROW(activations.at("last"), std::out_of_range);
  const Recorder root(&activations);
  root.record("a", at::zeros({1}));
  for (std::size_t i = 0; i < 12; ++i) {
    const auto size = static_cast<std::int64_t>(i + 1);
    root.inside("a").record(i, at::zeros({size}));
    root.inside("a").inside(i).record("b", at::zeros({10 * size}));
  }
  root.record("last", at::zeros({7}));
  std::map<std::string, std::int64_t> sizes;
  for (const auto& [name, value] : activations.values()) {
    sizes[name] = value.numel();
  }
  EXPECT_EQ(sizes, (std::map<std::string, std::int64_t>{
                       {"a.1", 2}, {"a.1.b", 20}, {"a.10", 11}, {"last", 7}}));
  EXPECT_THROW(activations.at("a1.b"), std::out_of_range);
}

TEST(Activations, NoneAreKeptWithout) {
  const Recorder none(nullptr);
  EXPECT_EQ(none.inside("a").inside(1).record("b", at::ones({3})).numel(), 3);
}

}  // namespace leaf::nn
