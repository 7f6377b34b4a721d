#include "train/cached_features.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>

#include "models/autoencoder_tiny.h"
#include "models/vision_transformer.h"
#include "nn/module.h"
#include "pipeline/mask_codec.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

constexpr std::int64_t kGroup = 4;

/// Real networks, of random weights, that count their calls.
struct Frozen {
  Frozen() {
    nn::initialise(*encoder, 1);
    nn::initialise(*teacher, 1);
    nn::freeze(*encoder);
    nn::freeze(*teacher);
  }

  CachedFeatures::Networks networks(double scale = 1) {
    return [this, scale](const at::Tensor& images, const at::Tensor& masks) {
      ++calls;
      EXPECT_EQ(images.size(0), kGroup);
      EXPECT_EQ(masks.size(0), kGroup);
      return Features{encoder->encode(MaskCodec{data::MaskClasses()}.to_image(masks)) * scale,
                      teacher->tokens(images, 4)};
    };
  }

  std::shared_ptr<models::TinyLatentEncoder> encoder = std::make_shared<models::TinyLatentEncoder>(
      models::AutoencoderConfig{.type = models::AutoencoderType::kTiny, .latent_channels = 4});
  std::shared_ptr<models::VisionTransformer> teacher = std::make_shared<models::VisionTransformer>(
      models::VisionTransformerConfig{.name = "test",
                                      .width = 32,
                                      .depth = 2,
                                      .num_heads = 2,
                                      .patch_size = 8,
                                      .grid = 4,
                                      .layer_scale = false});
  std::atomic<int> calls = 0;
};

struct Samples {
  at::Tensor images = test::images(5, 64, 64);
  at::Tensor masks = images.narrow(1, 0, 1).gt(0.5).to(at::kFloat);
};

void expect_equal(const Features& a, const Features& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i])) << i;
  }
}

}  // namespace

TEST(CachedFeatures, AreTheSameWithAndWithoutAStore) {
  Frozen frozen;
  const Samples s;
  CachedFeatures plain(frozen.networks(), nullptr, kGroup);
  const Features expected = plain.of(s.images, s.masks);
  EXPECT_EQ(expected[0].sizes(), (std::vector<std::int64_t>{5, 4, 8, 8}));
  EXPECT_EQ(expected[1].sizes(), (std::vector<std::int64_t>{5, 16, 32}));
  EXPECT_EQ(frozen.calls, 2);  // four, then one
  CachedFeatures cached(frozen.networks(), make_memory_store(1 << 20), kGroup);
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 4);
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 6);  // the first that are found are checked
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 6);
}

TEST(CachedFeatures, DoNotDependOnTheBatchOrOnWhatIsThere) {
  Frozen frozen;
  const Samples s;
  const Features expected =
      CachedFeatures(frozen.networks(), nullptr, kGroup).of(s.images, s.masks);
  CachedFeatures cached(frozen.networks(), make_memory_store(1 << 20), kGroup);
  cached.of(s.images.narrow(0, 1, 2), s.masks.narrow(0, 1, 2));
  expect_equal(cached.of(s.images, s.masks), expected);
  const Features last = cached.of(s.images.narrow(0, 4, 1), s.masks.narrow(0, 4, 1));
  EXPECT_TRUE(at::equal(last[0][0], expected[0][4]));
  EXPECT_TRUE(at::equal(last[1][0], expected[1][4]));
}

TEST(CachedFeatures, DoNotDependOnThePlaceInTheBatch) {
  Frozen frozen;
  const Samples s;
  const Features expected =
      CachedFeatures(frozen.networks(), nullptr, kGroup).of(s.images, s.masks);
  for (const std::vector<std::int64_t>& order :
       {std::vector<std::int64_t>{4, 3, 2, 1, 0}, {2, 0, 4}, {3, 3, 1, 0}, {1}}) {
    const at::Tensor places = at::tensor(order);
    CachedFeatures cached(frozen.networks(), make_memory_store(1 << 20), kGroup);
    const at::Tensor images = s.images.index_select(0, places);
    const at::Tensor masks = s.masks.index_select(0, places);
    for (int epoch = 0; epoch < 3; ++epoch) {
      const Features features = cached.of(images, masks);
      expect_equal(features,
                   {expected[0].index_select(0, places), expected[1].index_select(0, places)});
    }
  }
}

TEST(CachedFeatures, GroupsAreNoLargerThanBatches) {
  EXPECT_EQ(CachedFeatures::group_size(1), 1);
  EXPECT_EQ(CachedFeatures::group_size(3), 3);
  EXPECT_EQ(CachedFeatures::group_size(8), 4);
}

TEST(CachedFeatures, AnotherNetworksValuesAreDropped) {
  Frozen frozen;
  const Samples s;
  const test::TemporaryFolder folder;
  const FeatureFileOptions file{.folder = folder.path(), .identity = "x", .bytes = 1 << 20};
  CachedFeatures(frozen.networks(1.5), make_file_store(file), kGroup).of(s.images, s.masks);
  const Features expected =
      CachedFeatures(frozen.networks(), nullptr, kGroup).of(s.images, s.masks);
  // As after a change that the identity does not show.
  expect_equal(
      CachedFeatures(frozen.networks(), make_file_store(file), kGroup).of(s.images, s.masks),
      expected);
  frozen.calls = 0;
  expect_equal(
      CachedFeatures(frozen.networks(), make_file_store(file), kGroup).of(s.images, s.masks),
      expected);
  EXPECT_EQ(frozen.calls, 2);  // all five are found and checked
}

TEST(CachedFeatures, KnowWhetherMoreIsKept) {
  Frozen frozen;
  const Samples s;
  EXPECT_FALSE(CachedFeatures(frozen.networks(), nullptr, kGroup).keeps());
  constexpr std::int64_t kSample = (4 * 8 * 8 + 16 * 32) * sizeof(float);
  CachedFeatures cached(frozen.networks(), make_memory_store(2 * kSample), kGroup);
  cached.of(s.images.narrow(0, 0, 2), s.masks.narrow(0, 0, 2));
  EXPECT_TRUE(cached.keeps());
  cached.of(s.images, s.masks);
  EXPECT_FALSE(cached.keeps());
}

TEST(CachedFeatures, WhatASampleLacksTheBatchLacks) {
  const Samples s;
  bool has_second = true;
  const auto networks = [&](const at::Tensor& images, const at::Tensor& masks) {
    return Features{images.mean({2, 3}), has_second ? masks.mean({2, 3}) : at::Tensor()};
  };
  CachedFeatures cached(networks, make_memory_store(4 * sizeof(float)), 1);
  EXPECT_TRUE(cached.of(s.images, s.masks)[1].defined());  // the first sample alone is kept
  has_second = false;
  const Features features = cached.of(s.images, s.masks);
  EXPECT_TRUE(at::equal(features[0], s.images.mean({2, 3})));
  EXPECT_FALSE(features[1].defined());
  EXPECT_TRUE(cached.of(s.images.narrow(0, 0, 1), s.masks.narrow(0, 0, 1))[1].defined());  // still
}

TEST(CachedFeatures, ATroubleOfTheNetworksReachesTheCaller) {
  const Samples s;
  CachedFeatures cached(
      [](const at::Tensor&, const at::Tensor&) -> Features {
        throw std::runtime_error("no weights");
      },
      nullptr, kGroup);
  EXPECT_THROW(cached.of(s.images, s.masks), std::runtime_error);
}

}  // namespace leaf
