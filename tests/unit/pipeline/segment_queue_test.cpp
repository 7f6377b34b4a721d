#include "leaf/pipeline/segment_queue.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "leaf/data/image_io.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "support/golden.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

Segmenter small_segmenter(const data::MaskClasses& classes = {}) {
  ModelDescription description;
  description.preprocessing.classes = classes;
  description.autoencoder = test::small_kl();
  description.unet = test::small_unet();
  description.preprocessing.resolution = 16;
  TrainingModel model = make_model(description);
  test::fill_by_formula(*model.autoencoder, "vae.");
  test::fill_by_formula(*model.latent_encoder, "latent_encoder.");
  test::fill_by_formula(*model.unet, "unet.");
  prepare_for_inference(model, {});
  return {model, {}};
}

std::string picture_file(std::int64_t index) {
  return data::encode_png(test::picture(20 + index, 24, 13 * index));
}

QueuedImage queued(std::string_view bytes, const std::string& name) {
  return {bytes, "'" + name + ".png'", name, Clock::now() + 1min};
}

at::Tensor probability_of(SegmentQueue& queue, const QueuedImage& image) {
  at::Tensor probability;
  queue.segment(image, [&](const SegmentedImage& result) {
    probability = as_stored(result.displayed, result.orientation).probability;
  });
  return probability;
}

}  // namespace

TEST(SegmentQueue, ManyThreadsGetTheMasksOfOne) {
  const Segmenter segmenter = small_segmenter();
  std::atomic<std::size_t> largest = 0;
  std::atomic<std::size_t> images = 0;
  SegmentQueue queue(segmenter, {.batch_size = 3, .on_batch = [&](std::size_t size) {
                                   largest = std::max<std::size_t>(largest, size);
                                   images += size;
                                 }});
  constexpr std::int64_t kThreads = 6;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::int64_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const std::string bytes = picture_file(i);
        const std::string name = "image-" + std::to_string(i);
        const at::Tensor expected =
            segment_image(segmenter, data::decode_image(bytes, name), name).probability;
        for (int round = 0; round < 3; ++round) {
          wrong += probability_of(queue, queued(bytes, name)).equal(expected) ? 0 : 1;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(images, 18U);
  EXPECT_LE(largest, 3U);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(SegmentQueue, RefusesWhatIsBeyondItsCapacity) {
  const Segmenter segmenter = small_segmenter();
  SegmentQueue queue(segmenter, {.capacity = 1});
  const std::string bytes = picture_file(1);
  std::promise<void> begun;
  std::promise<void> end;
  std::jthread first([&] {
    queue.segment(queued(bytes, "a"), [&](const SegmentedImage&) {
      begun.set_value();
      end.get_future().wait();
    });
  });
  begun.get_future().wait();
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_THROW(probability_of(queue, queued(bytes, "b")), QueueFullError);
  end.set_value();
  first.join();
  EXPECT_TRUE(probability_of(queue, queued(bytes, "b")).defined());
}

TEST(SegmentQueue, WhatIsLateIsNotSegmented) {
  const Segmenter segmenter = small_segmenter();
  std::atomic<int> batches = 0;
  SegmentQueue queue(segmenter, {.batch_size = 2,
                                 .max_wait = 1h,  // for a second image, which never comes
                                 .on_batch = [&](std::size_t) { ++batches; }});
  const std::string bytes = picture_file(1);
  QueuedImage image = queued(bytes, "a");
  image.deadline = Clock::now();
  EXPECT_THROW(probability_of(queue, image), TimeoutError);
  image.deadline = Clock::now() + 200ms;
  EXPECT_THROW(probability_of(queue, image), TimeoutError);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(batches, 0);
}

TEST(SegmentQueue, FailuresAreTheirImagesOwn) {
  const Segmenter segmenter = small_segmenter();
  SegmentQueue queue(segmenter, {});
  try {
    probability_of(queue, queued("no picture", "notes"));
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("notes.png"), std::string::npos) << error.what();
  }
  const std::string bytes = picture_file(1);
  EXPECT_THROW(queue.segment(queued(bytes, "a"),
                             [](const SegmentedImage&) { throw ConfigError("of the caller"); }),
               ConfigError);
  EXPECT_TRUE(probability_of(queue, queued(bytes, "a")).defined());
  EXPECT_EQ(queue.size(), 0U);
}

TEST(SegmentQueue, RefusesOptionsThatDoNotGoTogether) {
  const Segmenter segmenter = small_segmenter();
  SegmentQueueOptions tiles;
  tiles.mask.tiling = Tiling{};
  EXPECT_THROW(SegmentQueue(segmenter, tiles), ConfigError);
  EXPECT_THROW(SegmentQueue(segmenter, {.batch_size = 0}), ConfigError);
  EXPECT_THROW(SegmentQueue(segmenter, {.capacity = 0}), ConfigError);
  SegmentQueueOptions staple;
  staple.mask.seeds = 2;
  staple.mask.ensemble = Ensemble::kStaple;
  EXPECT_NO_THROW(SegmentQueue(segmenter, staple));
  const Segmenter of_three =
      small_segmenter(data::parse_classes({"background=0", "disc=1", "cup=2"}));
  EXPECT_THROW(SegmentQueue(of_three, staple), ConfigError);
}

}  // namespace leaf
