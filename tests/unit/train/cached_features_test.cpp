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

/// Real networks, of random weights, that count their calls.
struct Frozen {
  Frozen() {
    nn::initialise(*encoder, 1);
    nn::initialise(*teacher, 1);
    nn::freeze(*encoder);
    nn::freeze(*teacher);
  }

  CachedFeatures::Networks networks(double scale = 1) {
    return [this, scale](const at::Tensor& image, const at::Tensor& mask) {
      ++calls;
      return FrozenFeatures{encoder->encode(MaskCodec{data::MaskClasses()}.to_image(mask)) * scale,
                            teacher->tokens(image, 4)};
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

void expect_equal(const FrozenFeatures& a, const FrozenFeatures& b) {
  EXPECT_TRUE(at::equal(a.mask_latents, b.mask_latents));
  EXPECT_TRUE(at::equal(a.teacher_tokens, b.teacher_tokens));
}

}  // namespace

TEST(CachedFeatures, AreTheSameWithAndWithoutAStore) {
  Frozen frozen;
  const Samples s;
  CachedFeatures plain(frozen.networks(), nullptr);
  const FrozenFeatures expected = plain.of(s.images, s.masks);
  EXPECT_EQ(expected.mask_latents.sizes(), (std::vector<std::int64_t>{5, 4, 8, 8}));
  EXPECT_EQ(expected.teacher_tokens.sizes(), (std::vector<std::int64_t>{5, 16, 32}));
  EXPECT_EQ(frozen.calls, 5);
  CachedFeatures cached(frozen.networks(), make_memory_store(1 << 20));
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 10);
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 11);  // the first that is found is checked
  expect_equal(cached.of(s.images, s.masks), expected);
  EXPECT_EQ(frozen.calls, 11);
}

TEST(CachedFeatures, DoNotDependOnTheBatchOrOnWhatIsThere) {
  Frozen frozen;
  const Samples s;
  const FrozenFeatures expected = CachedFeatures(frozen.networks(), nullptr).of(s.images, s.masks);
  CachedFeatures cached(frozen.networks(), make_memory_store(1 << 20));
  cached.of(s.images.narrow(0, 1, 2), s.masks.narrow(0, 1, 2));
  expect_equal(cached.of(s.images, s.masks), expected);
  const FrozenFeatures last = cached.of(s.images.narrow(0, 4, 1), s.masks.narrow(0, 4, 1));
  EXPECT_TRUE(at::equal(last.mask_latents[0], expected.mask_latents[4]));
  EXPECT_TRUE(at::equal(last.teacher_tokens[0], expected.teacher_tokens[4]));
}

TEST(CachedFeatures, AnotherNetworksValuesAreDropped) {
  Frozen frozen;
  const Samples s;
  const test::TemporaryFolder folder;
  const FeatureFileOptions file{.folder = folder.path(), .identity = "x", .bytes = 1 << 20};
  CachedFeatures(frozen.networks(1.5), make_file_store(file)).of(s.images, s.masks);
  const FrozenFeatures expected = CachedFeatures(frozen.networks(), nullptr).of(s.images, s.masks);
  // As after a change that the identity does not show.
  expect_equal(CachedFeatures(frozen.networks(), make_file_store(file)).of(s.images, s.masks),
               expected);
  frozen.calls = 0;
  expect_equal(CachedFeatures(frozen.networks(), make_file_store(file)).of(s.images, s.masks),
               expected);
  EXPECT_EQ(frozen.calls, 1);
}

TEST(CachedFeatures, ATroubleOfTheNetworksReachesTheCaller) {
  const Samples s;
  CachedFeatures cached(
      [](const at::Tensor&, const at::Tensor&) -> FrozenFeatures {
        throw std::runtime_error("no weights");
      },
      nullptr);
  EXPECT_THROW(cached.of(s.images, s.masks), std::runtime_error);
}

}  // namespace leaf
