#include "leaf/pipeline/segmenter.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <thread>

#include "leaf/core/error.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "pipeline/mask_codec.h"
#include "support/golden.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

using test::images;
using test::largest_difference;
using test::Shape;

constexpr std::int64_t kResolution = 16;
constexpr double kTolerance = 2e-5;

TrainingModel make_test_model() {
  ModelDescription description;
  description.autoencoder = test::small_kl();
  description.unet = test::small_unet();
  description.preprocessing.resolution = kResolution;
  TrainingModel model = make_model(description);
  test::fill_by_formula(*model.autoencoder, "vae.");
  test::fill_by_formula(*model.latent_encoder, "latent_encoder.");
  test::fill_by_formula(*model.unet, "unet.");
  return model;
}

Segmenter make_segmenter(const SegmenterOptions& options = {}) {
  TrainingModel model = make_test_model();
  prepare_for_inference(model, options);
  return {model, options};
}

at::Tensor square_images(std::int64_t count) { return images(count, kResolution, kResolution); }

}  // namespace

TEST(MaskCodec, RepeatsTheMaskAndAveragesTheChannels) {
  const at::Tensor masks = (test::normal({2, 1, 4, 4}) > 0).to(at::kFloat);
  const MaskCodec codec{data::MaskClasses()};
  const at::Tensor image = codec.to_image(masks);
  ASSERT_EQ(image.sizes().vec(), (Shape{2, 3, 4, 4}));
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    EXPECT_TRUE(at::equal(image.narrow(1, channel, 1), masks));
  }
  EXPECT_TRUE(at::allclose(codec.to_probability(image), masks));
  const at::Tensor colours = at::tensor({0.0F, 0.3F, 0.9F}).view({1, 3, 1, 1});
  EXPECT_NEAR(codec.to_probability(colours).item<double>(), 0.4, 1e-6);
}

TEST(Segmenter, ProbabilityIsOnePerPixel) {
  const at::Tensor probability = make_segmenter().probability(square_images(3));
  ASSERT_EQ(probability.sizes().vec(), (Shape{3, 1, kResolution, kResolution}));
  EXPECT_EQ(probability.scalar_type(), at::kFloat);
  EXPECT_GE(probability.min().item<double>(), 0.0);
  EXPECT_LE(probability.max().item<double>(), 1.0);
  EXPECT_GT(probability.std().item<double>(), 0.01);
}

TEST(Segmenter, ATinyDecoderStandsInForTheAutoencodersOwn) {
  ModelDescription description;
  description.autoencoder = test::small_kl();
  description.autoencoder.ch_mult = {1, 1, 1, 1};
  description.decoder = {.type = models::AutoencoderType::kTiny};
  description.unet = test::small_unet();
  description.preprocessing.resolution = 2 * kResolution;
  TrainingModel model = make_model(description);
  initialise(model, 3);
  const test::TemporaryFolder folder;
  save_model(folder / "model", model);
  const Segmenter loaded = Segmenter::load(folder / "model");
  const at::Tensor x = images(2, 2 * kResolution, 2 * kResolution);
  const at::Tensor latent = loaded.sample(loaded.encode(x), loaded.starting_noise(x));
  model.decoder->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor expected =
      MaskCodec(data::MaskClasses()).to_probability(model.decoder->decode(latent));
  EXPECT_LT(largest_difference(loaded.probability(x), expected), 1e-4);
  EXPECT_GT(expected.std().item<double>(), 0.0);
}

TEST(Segmenter, ProbabilityIsIndependentOfTheBatch) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor pair = square_images(2);
  const ImageNames names{"a", "b"};
  const at::Tensor batch = segmenter.probability(pair, names);
  EXPECT_GT(largest_difference(batch[0], batch[1]), 1e-2);
  for (std::int64_t i = 0; i < 2; ++i) {
    const at::Tensor alone =
        segmenter.probability(pair.narrow(0, i, 1), ImageNames{names[static_cast<std::size_t>(i)]});
    EXPECT_LT(largest_difference(batch.narrow(0, i, 1), alone), kTolerance) << i;
  }
}

TEST(Segmenter, ProbabilityIsIndependentOfTheOrder) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor pair = square_images(2);
  const at::Tensor swapped = segmenter.probability(pair.flip({0}), ImageNames{"b", "a"}).flip({0});
  EXPECT_LT(largest_difference(segmenter.probability(pair, ImageNames{"a", "b"}), swapped),
            kTolerance);
}

TEST(Segmenter, TheStartingNoiseFollowsFromTheSeed) {
  const at::Tensor image = square_images(1);
  const at::Tensor first = make_segmenter({.seed = 1}).probability(image);
  EXPECT_TRUE(at::equal(make_segmenter({.seed = 1}).probability(image), first));
  EXPECT_GT(largest_difference(make_segmenter({.seed = 2}).probability(image), first), 1e-4);
}

TEST(Segmenter, TheDrawFollowsFromTheNameAndNotFromThePixels) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor image = square_images(1);
  const auto noise = [&](const at::Tensor& of, const std::string& name) {
    return segmenter.starting_noise(of, ImageNames{name});
  };
  at::Tensor other_decoder = image.clone();
  other_decoder[0][0][0][0] += 1.0F / 255;
  EXPECT_TRUE(at::equal(noise(image, "a"), noise(other_decoder, "a")));
  EXPECT_GT(largest_difference(noise(image, "a"), noise(image, "b")), 1);
  EXPECT_TRUE(at::equal(noise(image, "a"), noise(image, "folder/sub/a")));
  EXPECT_TRUE(at::equal(noise(image, "M\xC3\xBCller"), noise(image, "mu\xCC\x88ller")));
  EXPECT_TRUE(at::equal(noise(image, ""), segmenter.starting_noise(image)));
  EXPECT_NEAR(noise(images(1, 64, 64), "a").std().item<double>(), 1, 0.05);
  const auto message = test::message_of<DataError>([&] {
    segmenter.starting_noise(image, ImageNames{"a", "b"});
  });
  EXPECT_EQ(message, "names: 2 for 1 images; give one for each");
}

TEST(Segmenter, ZerosAreNoDraw) {
  const Segmenter segmenter = make_segmenter({.seed = 5, .noise = StartingNoise::kZeros});
  const at::Tensor image = square_images(1);
  EXPECT_FALSE(segmenter.starting_noise(image, ImageNames{"a"}).any().item<bool>());
  EXPECT_TRUE(at::equal(segmenter.probability(image, ImageNames{"a"}),
                        make_segmenter({.noise = StartingNoise::kZeros}).probability(image)));
  EXPECT_GT(largest_difference(segmenter.probability(image), make_segmenter().probability(image)),
            1e-4);
}

TEST(Segmenter, ANamedPictureIsSegmentedAsInABatch) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor rgb = test::picture(kResolution, kResolution);
  const at::Tensor expected =
      segmenter.probability(segmenter.prepare(rgb).unsqueeze(0), ImageNames{"a"})[0][0];
  EXPECT_TRUE(at::equal(segmenter.segment(rgb, "a").probability, expected));
  EXPECT_FALSE(at::equal(segmenter.segment(rgb).probability, expected));
}

TEST(Segmenter, MoreStepsAreAnotherResult) {
  const at::Tensor image = square_images(1);
  const at::Tensor one = make_segmenter().probability(image);
  const at::Tensor four = make_segmenter({.num_inference_steps = 4}).probability(image);
  EXPECT_GT(largest_difference(one, four), 1e-4);
}

TEST(Segmenter, TheModelsStepsAreTakenUnlessToldOtherwise) {
  const at::Tensor image = square_images(1);
  TrainingModel model = make_test_model();
  model.description.preprocessing.num_inference_steps = 4;
  const test::TemporaryFolder folder;
  save_model(folder / "model", model);
  const Segmenter stored = Segmenter::load(folder / "model");
  EXPECT_EQ(stored.options().num_inference_steps, 4);
  const at::Tensor four = make_segmenter({.num_inference_steps = 4}).probability(image);
  EXPECT_LT(largest_difference(stored.probability(image), four), kTolerance);
  EXPECT_EQ(
      Segmenter::load(folder / "model", {.num_inference_steps = 2}).options().num_inference_steps,
      2);
  EXPECT_EQ(make_segmenter().options().num_inference_steps, 1);
  EXPECT_THROW(Segmenter(model, {.num_inference_steps = 1001}), ConfigError);
  model.description.preprocessing.num_inference_steps = 1;
  model.description.preprocessing.last_timestep_alone = true;
  save_model(folder / "one", model);
  EXPECT_EQ(Segmenter::load(folder / "one").options().num_inference_steps, 1);
  EXPECT_THROW(Segmenter::load(folder / "one", {.num_inference_steps = 2}), ConfigError);
}

TEST(Segmenter, SamplesShareTheImagesLatent) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor images = square_images(2);
  const at::Tensor latent = segmenter.encode(images);
  const auto sample = [&](std::int64_t number) {
    return segmenter.decode(segmenter.sample(latent, segmenter.starting_noise(images, {}, number)));
  };
  EXPECT_TRUE(at::equal(sample(0), segmenter.probability(images)));
  EXPECT_TRUE(at::equal(sample(1), sample(1)));
  EXPECT_GT(largest_difference(sample(0), sample(1)), 1e-4);
}

TEST(Segmenter, ThreadsGetTheBitsOfOne) {
  const Segmenter shared = make_segmenter();  // whose first calls pack the filters
  const Segmenter alone = make_segmenter();
  const at::Tensor rgb = test::picture(20, 31);
  const at::Tensor expected = alone.segment(rgb).probability;
  std::array<at::Tensor, 2> found;
  std::vector<std::thread> threads;
  for (at::Tensor& result : found) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        result = shared.segment(rgb).probability;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(at::equal(found[0], expected));
  EXPECT_TRUE(at::equal(found[1], expected));
}

TEST(Segmenter, SaysWhatItExpected) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor image = square_images(1);
  const at::Tensor latent = segmenter.encode(image);
  const auto expect_error = [](const std::function<void()>& call, const std::string& expected) {
    const auto message = test::message_of<DataError>(call);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  };
  expect_error([&] { segmenter.encode(image.to(at::kDouble)); }, "expected Float [N, 3, H, W]");
  expect_error([&] { segmenter.encode(image[0]); }, "images: the shape is [3, 16, 16]");
  expect_error([&] { segmenter.probability(images(1, 15, 16)); }, "H and W multiples of");
  expect_error([&] { segmenter.probability(at::Tensor()); }, "images: undefined");
  expect_error([&] { segmenter.encode(image.to(at::kMeta)); }, "on meta; expected");
  expect_error([&] { segmenter.sample(latent, latent.narrow(1, 0, 1)); }, "noise: the shape is");
  expect_error(
      [&] {
        segmenter.sample(latent, at::cat({latent, latent}));
      },
      "that of the image latent");
  expect_error([&] { segmenter.decode(latent.to(at::kHalf)); }, "latent: Half");
  expect_error([&] { segmenter.segment(test::picture(9, 9).to(at::kFloat)); },
               "rgb: Float [9, 9, 3] on cpu; expected Byte [H, W, 3]");
  expect_error(
      [&] {
        segmenter.segment(test::picture(9, 9).permute({2, 0, 1}));
      },
      "rgb: the shape is [3, 9, 9]");
  expect_error([&] { segmenter.finish(image, 9, 9); }, "probability: the shape is");
  expect_error([&] { segmenter.finish(image[0].narrow(0, 0, 1), 0, 9); }, "0 x 9 pixels");
}

TEST(Segmenter, SeveralClassesHaveAProbabilityEach) {
  TrainingModel model = make_test_model();
  model.description.preprocessing.classes =
      data::parse_classes({"background=0", "disc=1", "cup=2", "rim=3"});
  prepare_for_inference(model, SegmenterOptions{});
  const Segmenter segmenter(model, {});
  const at::Tensor samples = segmenter.probabilities(square_images(2), {"a", "b"}, 3);
  ASSERT_EQ(samples.sizes().vec(), (Shape{3, 2, 3, kResolution, kResolution}));
  EXPECT_TRUE(samples[0].equal(segmenter.probability(square_images(2), ImageNames{"a", "b"})));
  const Segmentation found = segmenter.finish(samples[0][0], 20, 31);
  ASSERT_EQ(found.mask.sizes().vec(), (Shape{20, 31}));
  EXPECT_LE(found.mask.max().item<int>(), 3);
  EXPECT_EQ(found.classes.sizes().vec(), (Shape{3, 20, 31}));
  EXPECT_LT(largest_difference(found.classes.sum(0), found.probability), 1e-5);
}

TEST(Segmenter, SegmentGivesTheImagesOwnSize) {
  const Segmenter segmenter = make_segmenter();
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{20, 31}, {9, 12}}) {
    const Segmentation result = segmenter.segment(test::picture(height, width));
    ASSERT_EQ(result.mask.sizes().vec(), (Shape{height, width}));
    ASSERT_EQ(result.probability.sizes().vec(), (Shape{height, width}));
    EXPECT_EQ(result.mask.scalar_type(), at::kByte);
    EXPECT_TRUE(at::equal(result.mask == 255, result.probability > 0.5));
    EXPECT_TRUE(at::equal(result.mask == 0, result.probability <= 0.5));
    EXPECT_GE(result.probability.min().item<double>(), -1e-6);
    EXPECT_LE(result.probability.max().item<double>(), 1.0 + 1e-6);
  }
}

TEST(Segmenter, AtTheModelsSizeNothingIsResized) {
  const Segmenter segmenter = make_segmenter();
  const at::Tensor rgb = test::picture(kResolution, kResolution);
  const at::Tensor image = segmenter.prepare(rgb);
  EXPECT_LT(largest_difference(image * 255, rgb.permute({2, 0, 1})), 1e-3);
  const at::Tensor expected = segmenter.probability(image.unsqueeze(0))[0][0];
  EXPECT_TRUE(at::equal(segmenter.segment(rgb).probability, expected));
}

TEST(Segmenter, ForegroundExceedsTheThreshold) {
  TrainingModel model = make_test_model();
  model.description.preprocessing.threshold = 0.75;
  const Segmenter segmenter(model, {});
  const at::Tensor found = segmenter.labels(at::tensor({0.5F, 0.75F, 0.8F}).view({1, 1, 3}));
  EXPECT_TRUE(at::equal(found, at::tensor({0, 0, 1}).view({1, 3}).to(at::kByte)));
}

TEST(Segmenter, ALoadedModelSegmentsAsTheSavedOne) {
  const test::TemporaryFolder folder;
  save_model(folder / "model", make_test_model());
  const at::Tensor image = square_images(1);
  EXPECT_LT(largest_difference(Segmenter::load(folder / "model").probability(image),
                               make_segmenter().probability(image)),
            kTolerance);
}

/// All 4-D parameters of a prepared model, and that none wants a gradient.
std::vector<at::Tensor> prepared_weights(const SegmenterOptions& options) {
  TrainingModel model = make_test_model();
  prepare_for_inference(model, options);
  std::vector<at::Tensor> weights;
  for (const torch::nn::Module* part :
       {static_cast<const torch::nn::Module*>(model.decoder.get()),
        static_cast<const torch::nn::Module*>(model.latent_encoder.get()),
        static_cast<const torch::nn::Module*>(model.unet.get())}) {
    EXPECT_FALSE(part->is_training());
    for (const auto& item : part->named_parameters()) {
      EXPECT_FALSE(item.value().requires_grad()) << item.key();
      if (item.value().dim() != 1) {
        weights.push_back(item.value());
      }
    }
  }
  return weights;
}

TEST(PrepareForInference, ReordersTheWeightsWhereLibTorchConvolves) {
  for (const at::Tensor& weight : prepared_weights({.precision = Precision::kBFloat16})) {
    EXPECT_NE(weight.numel(), 0);
    EXPECT_TRUE(weight.dim() != 4 || weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

TEST(PrepareForInference, SuchAModelCannotBeSavedOverAGoodOne) {
  const test::TemporaryFolder folder;
  save_model(folder / "model", make_test_model());
  TrainingModel model = make_test_model();
  prepare_for_inference(model, {});
  EXPECT_THROW(save_model(folder / "model", model), Error);
  EXPECT_NO_THROW(load_model(folder / "model"));
}

TEST(PrepareForInference, PacksEveryConvolutionOnTheCpu) {
  for (const at::Tensor& weight : prepared_weights({})) {
    EXPECT_NE(weight.dim(), 4);
  }
}

}  // namespace leaf
