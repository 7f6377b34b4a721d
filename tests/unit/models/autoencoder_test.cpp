#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/transforms.h"
#include "leaf/data/image_io.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "support/data_folder.h"
#include "support/golden.h"
#include "support/small_networks.h"

namespace leaf::models {
namespace {

using test::images;
using test::largest_difference;
using test::normal;
using test::Shape;

struct KlAutoencoder {
  std::shared_ptr<KlLatentEncoder> encoder;
  std::shared_ptr<KlLatentDecoder> decoder;
};

KlAutoencoder make_kl(const AutoencoderConfig& config) {
  KlAutoencoder kl{std::make_shared<KlLatentEncoder>(config, /*dropout=*/0.0),
                   std::make_shared<KlLatentDecoder>(config)};
  test::fill_by_formula(*kl.encoder, "vae.");
  test::fill_by_formula(*kl.decoder, "vae.");
  nn::freeze(*kl.encoder);
  nn::freeze(*kl.decoder);
  return kl;
}

AutoencoderConfig tiny_config(std::int64_t latent_channels, TinyVariant variant) {
  return {.type = AutoencoderType::kTiny, .latent_channels = latent_channels, .variant = variant};
}

std::shared_ptr<Autoencoder> fresh_tiny(const AutoencoderConfig& config) {
  auto autoencoder = make_autoencoder(config);
  nn::initialise(*autoencoder, 1);
  nn::freeze(*autoencoder);
  return autoencoder;
}

void expect_within_unit_range(const at::Tensor& image) {
  EXPECT_GE(image.min().item<double>(), 0.0);
  EXPECT_LE(image.max().item<double>(), 1.0);
}

/// 1 in a disk off the centre, 0 elsewhere: [1, 3, side, side].
at::Tensor disk(std::int64_t side, double radius) {
  const at::Tensor position = at::arange(side, at::kDouble) - static_cast<double>(side) / 2;
  const at::Tensor squares =
      (position - 6).square().unsqueeze(1) + (position + 9).square().unsqueeze(0);
  return (squares <= radius * radius).to(at::kFloat).expand({1, 3, side, side}).contiguous();
}

double dice(const at::Tensor& a, const at::Tensor& b) {
  const double common = (a * b).sum().item<double>();
  return 2 * common / (a.sum().item<double>() + b.sum().item<double>());
}

TEST(ClampImage, IsTheClampToTheBitAndShowsWhatIsNotFinite) {
  const at::Tensor values = at::tensor({-1.0F, -0.0F, 0.0F, 0.25F, 1.0F, 7.0F, 3e38F, -3e38F});
  EXPECT_TRUE(at::equal(clamp_image(values).view(at::kInt), values.clamp(0, 1).view(at::kInt)));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(clamp_image(at::tensor({kInfinity, -kInfinity, NAN})).isnan().all().item<bool>());
}

class RealTaef2 : public test::DataFolderTest {
 protected:
  void SetUp() override {
    DataFolderTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    io::TensorMap weights;
    for (const char* file : {"taef2_encoder.pth", "taef2_decoder.pth"}) {
      weights.merge(io::recognise(io::read_weights(folder_ / "weights" / file), file)
                        .parts.at(io::WeightPart::kAutoencoder));
    }
    autoencoder_ = make_autoencoder(tiny_config(32, TinyVariant::kTaef2));
    io::load_parameters(*autoencoder_, weights, "taef2");
    nn::freeze(*autoencoder_);
  }

  std::shared_ptr<Autoencoder> autoencoder_;
};

}  // namespace

TEST(Downsampling, FollowsFromTheConfiguration) {
  EXPECT_EQ(downsampling({}), 8);
  EXPECT_EQ(downsampling(test::small_kl()), 2);
  EXPECT_EQ(downsampling(tiny_config(4, TinyVariant::kTaesd)), 8);
}

TEST(KlAutoencoder, Shapes) {
  const auto [encoder, decoder] = make_kl({.ch = 32, .ch_mult = {1, 1, 2, 2}});
  const at::Tensor latent = encoder->encode(images(3, 32, 48));
  ASSERT_EQ(latent.sizes().vec(), (Shape{3, 4, 4, 6}));
  const at::Tensor decoded = decoder->decode(latent);
  EXPECT_EQ(decoded.sizes().vec(), (Shape{3, 3, 32, 48}));
  expect_within_unit_range(decoded);
}

TEST(KlAutoencoder, LatentChannelsAreAnOption) {
  AutoencoderConfig config = test::small_kl();
  config.latent_channels = 6;
  const auto encoder = make_kl(config).encoder;
  EXPECT_EQ(encoder->moments(images(1, 8, 8)).sizes().vec(), (Shape{1, 12, 4, 4}));
  EXPECT_EQ(encoder->encode(images(1, 8, 8)).sizes().vec(), (Shape{1, 6, 4, 4}));
}

TEST(KlAutoencoder, EncodesTheScaledModeAndDecodesIt) {
  const auto [encoder, decoder] = make_kl(test::small_kl());
  const at::Tensor image = images(2, 8, 8);
  const at::Tensor mode = encoder->moments(image).narrow(1, 0, 4);
  const at::Tensor latent = encoder->encode(image);
  EXPECT_LT(largest_difference(latent, mode * 0.18215), 1e-6);
  const at::Tensor expected = ((decoder->decode_raw(mode) + 1) / 2).clamp(0, 1);
  EXPECT_LT(largest_difference(decoder->decode(latent), expected), 1e-5);
}

TEST(KlAutoencoder, RescaledLatentsReconstructTheSame) {
  constexpr double kFactor = 2.5;
  const auto [encoder, decoder] = make_kl(test::small_kl());
  const at::Tensor image = images(2, 8, 8);
  const at::Tensor moments = encoder->moments(image);
  const at::Tensor latent = encoder->encode(image);
  const at::Tensor decoded = decoder->decode_raw(moments.narrow(1, 0, 4));

  encoder->rescale(kFactor);
  decoder->rescale(kFactor);
  const at::Tensor rescaled = encoder->moments(image);
  EXPECT_LT(test::relative_error(encoder->encode(image), kFactor * latent), 1e-5);
  EXPECT_LT(test::relative_error(decoder->decode_raw(rescaled.narrow(1, 0, 4)), decoded), 1e-5);
  const at::Tensor log_variance = moments.narrow(1, 4, 4) + 2 * std::log(kFactor);
  EXPECT_LT(test::relative_error(rescaled.narrow(1, 4, 4), log_variance), 1e-5);
}

TEST(LatentEncoder, IsTheEncoderHalf) {
  for (const AutoencoderConfig& config : {test::small_kl(), tiny_config(16, TinyVariant::kTaef2)}) {
    const auto autoencoder = make_autoencoder(config);
    nn::initialise(*autoencoder, 1);
    const auto encoder = make_latent_encoder(config, /*dropout=*/0.0);
    nn::copy_parameters(*autoencoder, *encoder);
    const at::NoGradGuard no_grad;
    const at::Tensor image = images(1, 16, 16);
    EXPECT_TRUE(at::equal(encoder->encode(image), autoencoder->encoder()->encode(image)));
  }
}

TEST(Autoencoder, HasTheKeysAndTheParametersOfBothHalves) {
  for (const AutoencoderConfig& config : {test::small_kl(), tiny_config(4, TinyVariant::kTaesd)}) {
    const auto autoencoder = make_autoencoder(config);
    nn::initialise(*autoencoder, 1);
    io::TensorMap halves = io::state_dict(*autoencoder->encoder());
    halves.merge(io::state_dict(*autoencoder->decoder()));
    const io::TensorMap whole = io::state_dict(*autoencoder);
    ASSERT_EQ(whole.size(), halves.size());
    for (const auto& [name, tensor] : halves) {
      EXPECT_TRUE(whole.at(name).is_same(tensor) || whole.at(name).data_ptr() == tensor.data_ptr())
          << name;
    }
  }
}

TEST(LatentEncoder, HasDropoutInTrainingAlone) {
  const at::NoGradGuard no_grad;
  const auto encoder = make_latent_encoder(test::small_kl(), /*dropout=*/0.5);
  test::fill_by_formula(*encoder, "latent_encoder.");
  const at::Tensor image = images(1, 8, 8);
  EXPECT_FALSE(at::equal(encoder->encode(image), encoder->encode(image)));
  encoder->eval();
  EXPECT_TRUE(at::equal(encoder->encode(image), encoder->encode(image)));
}

TEST(TinyAutoencoder, Shapes) {
  for (const auto& [channels, variant] :
       {std::pair<std::int64_t, TinyVariant>{4, TinyVariant::kTaesd},
        {16, TinyVariant::kTaesd},
        {32, TinyVariant::kTaef2}}) {
    const auto autoencoder = fresh_tiny(tiny_config(channels, variant));
    const at::Tensor latent = autoencoder->encoder()->encode(images(3, 16, 24));
    ASSERT_EQ(latent.sizes().vec(), (Shape{3, channels, 2, 3}));
    const at::Tensor decoded = autoencoder->decoder()->decode(latent);
    EXPECT_EQ(decoded.sizes().vec(), (Shape{3, 3, 16, 24}));
    expect_within_unit_range(decoded);
  }
}

TEST(TinyAutoencoder, LargeLatentsSaturate) {
  const auto autoencoder = fresh_tiny(tiny_config(4, TinyVariant::kTaesd));
  // Away from the ends of the range, where the output is clamped.
  at::Tensor bias = autoencoder->named_parameters()["decoder.layers.18.bias"];
  bias.fill_(0.5);
  const at::Tensor signs = normal({1, 4, 2, 2}).sign();
  EXPECT_TRUE(at::equal(autoencoder->decoder()->decode(100 * signs),
                        autoencoder->decoder()->decode(1000 * signs)));
  EXPECT_FALSE(at::equal(autoencoder->decoder()->decode(100 * signs),
                         autoencoder->decoder()->decode(signs)));
}

TEST_F(RealTaef2, KeepsAMask) {
  const at::Tensor mask = disk(256, 80);
  const at::Tensor decoded = autoencoder_->decoder()->decode(autoencoder_->encoder()->encode(mask));
  const at::Tensor found = (decoded.mean({1}, /*keepdim=*/true) > 0.5).to(at::kFloat);
  EXPECT_GT(dice(found, mask.narrow(1, 0, 1)), 0.998);
}

TEST_F(RealTaef2, KeepsAnImage) {
  const auto loaded = data::read_image(folder_ / "ISIC18/train_Data/ISIC_0000043.jpg");
  const at::Tensor image = data::to_tensor(data::resize_image(loaded.rgb, 256)).unsqueeze(0);
  const at::Tensor latent = autoencoder_->encoder()->encode(image);
  EXPECT_NEAR(latent.std().item<double>(), 0.75, 0.35);
  EXPECT_LT((autoencoder_->decoder()->decode(latent) - image).abs().mean().item<double>(), 0.02);
}

}  // namespace leaf::models
