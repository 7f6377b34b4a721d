#include "data/loader.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "data/registry.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() {
    for (int i = 1; i <= 7; ++i) {
      test::write_pair(folder_.path(), std::to_string(i), i);
    }
    config_.root = folder_.path();
    config_.resolution = 8;
    options_.batch_size = 3;
  }

  Dataset dataset() const { return {list_pairs(config_).pairs, config_}; }

  LoaderOptions with_workers(std::int64_t count) const {
    LoaderOptions options = options_;
    options.num_workers = count;
    return options;
  }

  test::TemporaryFolder folder_;
  DataConfig config_;
  LoaderOptions options_;
};

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.names, b.names);
  EXPECT_EQ(a.indices, b.indices);
  EXPECT_EQ(a.flips, b.flips);
  EXPECT_TRUE(a.images.equal(b.images));
  EXPECT_TRUE(a.masks.equal(b.masks));
}

TEST_F(LoaderTest, BatchHasShapesAndNames) {
  const Dataset data = dataset();
  Loader loader(data, options_);
  const Batch batch = loader.next();
  EXPECT_EQ(batch.images.sizes(), (std::vector<std::int64_t>{3, 3, 8, 8}));
  EXPECT_EQ(batch.masks.sizes(), (std::vector<std::int64_t>{3, 1, 8, 8}));
  EXPECT_EQ(batch.images.scalar_type(), at::kFloat);
  EXPECT_EQ(batch.step, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(batch.names[i], data.pairs()[batch.indices[i]].name);
  }
}

TEST_F(LoaderTest, AStrideLeavesTheBatchesBetweenToOthers) {
  const Dataset data = dataset();
  for (const std::int64_t workers : {0, 2}) {
    LoaderOptions strided = with_workers(workers);
    strided.stride = 3;
    Loader some(data, strided, 1);
    Loader all(data, options_);
    for (int step = 0; step < 10; ++step) {
      const Batch batch = all.next();
      if (step % 3 == 1) {
        expect_equal(some.next(), batch);
      }
    }
  }
}

TEST_F(LoaderTest, BatchesHoldTheFlippedSamples) {
  const Dataset data = dataset();
  Loader loader(data, options_);
  std::set<int> seen;
  for (int step = 0; step < 10; ++step) {
    const Batch batch = loader.next();
    for (std::int64_t i = 0; i < 3; ++i) {
      std::vector<std::int64_t> dims;
      const int flips = batch.flips[i];
      seen.insert(flips);
      if (flips & 1) dims.push_back(-1);
      if (flips & 2) dims.push_back(-2);
      const Sample sample = data.load(batch.indices[i]);
      EXPECT_TRUE(batch.images[i].equal(dims.empty() ? sample.image : sample.image.flip(dims)));
      EXPECT_TRUE(batch.masks[i].equal(dims.empty() ? sample.mask : sample.mask.flip(dims)));
    }
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST_F(LoaderTest, AugmentationIsAddressedAsFlipsAre) {
  const Dataset data = dataset();
  options_.augment = {.quarter_turns = 0.5, .scale_low = 0.8, .scale_high = 1.3, .noise = 0.1};
  Loader alone(data, with_workers(0));
  Loader others(data, with_workers(2));
  Loader later(data, with_workers(0), 4);
  const Batch first = alone.next();
  expect_equal(others.next(), first);
  LoaderOptions plain = with_workers(0);
  plain.augment = {};
  const Batch unchanged = Loader(data, plain).next();
  EXPECT_EQ(unchanged.flips, first.flips);
  EXPECT_FALSE(unchanged.images.equal(first.images));
  for (int step = 1; step < 4; ++step) {
    alone.next();
  }
  expect_equal(later.next(), alone.next());
}

TEST_F(LoaderTest, WorkerCountChangesNothing) {
  const Dataset data = dataset();
  Loader alone(data, with_workers(0));
  Loader one(data, with_workers(1));
  Loader four(data, with_workers(4));
  for (int step = 0; step < 9; ++step) {
    const Batch expected = alone.next();
    expect_equal(one.next(), expected);
    expect_equal(four.next(), expected);
  }
}

TEST_F(LoaderTest, StartingLaterGivesTheLaterSteps) {
  const Dataset data = dataset();
  Loader whole(data, with_workers(2));
  Loader resumed(data, with_workers(2), 5);
  for (int step = 0; step < 5; ++step) {
    whole.next();
  }
  for (int step = 5; step < 9; ++step) {
    const Batch batch = resumed.next();
    EXPECT_EQ(batch.step, step);
    expect_equal(batch, whole.next());
  }
}

TEST_F(LoaderTest, AnEpochVisitsEachSampleAtMostOnceAndOrdersDiffer) {
  const Dataset data = dataset();
  Loader loader(data, options_);
  ASSERT_EQ(loader.batches_per_epoch(), 2);
  std::vector<std::vector<std::size_t>> epochs;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::size_t> indices = loader.next().indices;
    const Batch second = loader.next();
    indices.insert(indices.end(), second.indices.begin(), second.indices.end());
    EXPECT_EQ(std::set<std::size_t>(indices.begin(), indices.end()).size(), 6U);
    epochs.push_back(indices);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST_F(LoaderTest, SeedMatters) {
  const Dataset data = dataset();
  LoaderOptions other = options_;
  other.seed = options_.seed + 1;
  Loader a(data, options_);
  Loader b(data, other);
  std::vector<std::size_t> first;
  std::vector<std::size_t> second;
  for (int step = 0; step < 4; ++step) {
    const Batch x = a.next();
    const Batch y = b.next();
    first.insert(first.end(), x.indices.begin(), x.indices.end());
    second.insert(second.end(), y.indices.begin(), y.indices.end());
  }
  EXPECT_NE(first, second);
}

TEST_F(LoaderTest, FlipsCanBeOffOrAlways) {
  const Dataset data = dataset();
  options_.horizontal_flip = 0;
  options_.vertical_flip = 1;
  Loader loader(data, options_);
  EXPECT_EQ(loader.next().flips, (std::vector<int>{2, 2, 2}));
}

TEST_F(LoaderTest, ErrorsOfWorkersReachTheirStep) {
  const Dataset data = dataset();
  write_file(folder_ / "images/4.png", "damaged");
  for (const std::int64_t workers : {0, 2}) {
    Loader loader(data, with_workers(workers));
    const std::string message = test::message_of<DataError>([&] {
      for (int step = 0; step < 20; ++step) {
        loader.next();
      }
    });
    EXPECT_NE(message.find("4.png"), std::string::npos) << message;
    EXPECT_THROW(loader.next(), DataError) << "the error stays";
  }
}

TEST_F(LoaderTest, DestructionNeverHangs) {
  const Dataset data = dataset();
  for (int i = 0; i < 20; ++i) {
    const Loader unused(data, with_workers(3));
  }
  Loader waiting(data, with_workers(3));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the queue fills up
}

TEST_F(LoaderTest, MoreThreadsThanCanBeStartedAreAnError) {
  const auto start = [this] {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    constexpr rlim_t kRoom = rlim_t{512} << 20U;  // for the stacks of some threads, not of all
    const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + kRoom;
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_AS, &limit);
    const Dataset images = dataset();
    try {
      const Loader loader(images, with_workers(300));
    } catch (const ConfigError& error) {
      std::fputs(error.what(), stderr);
      std::_Exit(7);
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(
      start(), testing::ExitedWithCode(7),
      "^LoaderOptions::num_workers 300: only [0-9]+ threads could be started .*; lower it$");
}

TEST_F(LoaderTest, TooFewSamplesNameTheFix) {
  const Dataset data = dataset();
  options_.batch_size = 8;
  const std::string message =
      test::message_of<DataError>([&] { const Loader loader(data, options_); });
  EXPECT_NE(message.find("7 images"), std::string::npos) << message;
  EXPECT_NE(message.find("LoaderOptions::batch_size"), std::string::npos) << message;
  options_.batch_size = 0;
  EXPECT_THROW(Loader(data, options_), ConfigError);
}

}  // namespace
}  // namespace leaf::data
