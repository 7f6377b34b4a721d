#include "train/feature_store.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "leaf/core/files.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {
namespace fs = std::filesystem;

Features sample(std::uint64_t seed) {
  return {test::normal({4, 8, 8}, seed), test::normal({16, 12}, seed + 1000).to(at::kBFloat16)};
}

FeatureKey key(std::uint64_t seed) { return {seed, ~seed}; }

void expect_same(const std::optional<Features>& found, const Features& expected) {
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const at::Tensor& tensor = (*found)[i];
    ASSERT_EQ(tensor.defined(), expected[i].defined()) << i;
    if (tensor.defined()) {
      EXPECT_EQ(tensor.scalar_type(), expected[i].scalar_type()) << i;
      EXPECT_TRUE(at::equal(tensor, expected[i])) << i;
    }
  }
}

constexpr std::int64_t kPlenty = 1 << 20;
constexpr std::size_t kHeader = 384;  // bytes before the first record

/// A folder and the stores in it.
struct Cache {
  std::unique_ptr<FeatureStore> store(const std::string& identity = "a network",
                                      std::int64_t bytes = kPlenty) const {
    return make_file_store({.folder = folder.path(), .identity = identity, .bytes = bytes});
  }
  /// Its only file.
  fs::path file() const { return list_folder(folder.path()).at(0); }
  /// Three samples in a file, those that are missing computed as by a run.
  const Cache& filled() const {
    const auto cache = store();
    for (const std::uint64_t i : {1, 2, 3}) {
      if (!cache->find(key(i))) {
        cache->keep(key(i), sample(i));
      }
    }
    return *this;
  }
  std::size_t count(const std::string& identity = "a network") const {
    const auto cache = store(identity);
    std::size_t found = 0;
    for (const std::uint64_t i : {1, 2, 3}) {
      if (const auto features = cache->find(key(i))) {
        expect_same(features, sample(i));
        ++found;
      }
    }
    return found;
  }

  test::TemporaryFolder folder;
};

}  // namespace

TEST(FeatureKey, FollowsFromImageAndMask) {
  const at::Tensor image = test::images(1, 16, 16, 1)[0];
  const at::Tensor mask = image.narrow(0, 0, 1).gt(0.5).to(at::kFloat);
  const FeatureKey expected = feature_key(image, mask);
  EXPECT_EQ(feature_key(image.clone(), mask.clone()), expected);
  EXPECT_NE(feature_key(image.flip({2}), mask.flip({2})), expected);
  EXPECT_NE(feature_key(image, 1 - mask), expected);
  at::Tensor other = image.clone();
  other[2][15][15] += 1.0 / 255;
  EXPECT_NE(feature_key(other, mask), expected);
}

TEST(FeatureStore, TensorsCountAsWhatTheyTakeOfThePool) {
  const auto large = [] { return Features{at::zeros({300'000}, at::kFloat)}; };  // takes 2 MiB
  const auto store = make_memory_store(3'500'000);
  EXPECT_TRUE(store->keep(key(1), large()));
  EXPECT_FALSE(store->keep(key(2), large()));
}

TEST(FeatureStore, InMemoryUpToItsRoom) {
  const auto store = make_memory_store(2 * (4 * 8 * 8 * 4 + 16 * 12 * 2));
  EXPECT_FALSE(store->find(key(1)));
  for (const std::uint64_t i : {1, 2, 3}) {
    store->keep(key(i), sample(i));
  }
  expect_same(store->find(key(1)), sample(1));
  expect_same(store->find(key(2)), sample(2));
  EXPECT_FALSE(store->find(key(3)));
  store->start_anew();
  EXPECT_FALSE(store->find(key(1)));
  store->keep(key(3), sample(3));
  expect_same(store->find(key(3)), sample(3));
}

TEST(FeatureFile, IsThereForTheNextRun) {
  const Cache cache;
  EXPECT_EQ(cache.count(), 0U);
  EXPECT_EQ(cache.filled().count(), 3U);
  EXPECT_FALSE(cache.store()->find(key(4)));
}

TEST(FeatureFile, AnyNumberOfTensorsSomeOfThemUndefined) {
  const at::Tensor latent = test::normal({4, 8, 8}, 1);
  const std::vector<Features> all{
      {latent}, {latent, {}}, {latent, {}, test::normal({5}), test::normal({3, 2, 9}), {}, latent}};
  for (const Features& features : all) {
    const Cache cache;
    cache.store()->keep(key(1), features);
    expect_same(cache.store()->find(key(1)), features);
  }
}

TEST(FeatureFile, WhatHasAnotherFormThanTheFirstIsNotKept) {
  const Cache cache;
  const auto store = cache.filled().store();
  store->keep(key(4), {test::normal({4, 8, 8})});
  store->keep(key(5), {test::normal({8, 8, 4}), sample(1)[1]});
  EXPECT_FALSE(store->find(key(4)));
  EXPECT_FALSE(store->find(key(5)));
}

TEST(FeatureFile, BelongsToOneNetwork) {
  const Cache cache;
  cache.filled();
  EXPECT_EQ(cache.count("another network"), 0U);
  const fs::path own = cache.file();
  cache.store("another network")->keep(key(9), sample(9));
  for (const fs::path& file : list_folder(cache.folder.path())) {
    if (file != own) {  // the one's file under the other's name
      fs::copy_file(own, file, fs::copy_options::overwrite_existing);
    }
  }
  EXPECT_EQ(cache.count("another network"), 0U);
  EXPECT_EQ(cache.count(), 3U);
}

TEST(FeatureFile, ACutOneHasWhatIsWhole) {
  const Cache cache;
  const std::string whole = read_file(cache.filled().file());
  const std::size_t record = (whole.size() - kHeader) / 3;
  for (const std::size_t size : {whole.size() - 1, kHeader + 2 * record, kHeader + record + 1}) {
    write_file(cache.file(), whole.substr(0, size));
    EXPECT_EQ(cache.count(), (size - kHeader) / record) << size;
    cache.filled();  // the missing ones take the place of what is torn
    EXPECT_EQ(cache.count(), 3U) << size;
    EXPECT_EQ(fs::file_size(cache.file()), whole.size()) << size;
  }
  for (const std::size_t size : std::vector<std::size_t>{0, 1, kHeader - 1}) {
    write_file(cache.file(), whole.substr(0, size));
    EXPECT_EQ(cache.count(), 0U) << size;
    EXPECT_EQ(cache.filled().count(), 3U) << size;
  }
}

TEST(FeatureFile, AFlippedBitIsNeverGivenOut) {
  const Cache cache;
  const std::string whole = read_file(cache.filled().file());
  constexpr std::size_t kStride = 149;
  std::size_t lost = 0;
  for (std::size_t place = 0; place < whole.size(); place += kStride) {
    std::string flipped = whole;
    flipped[place] = static_cast<char>(flipped[place] ^ 0x10);
    write_file(cache.file(), flipped);
    lost += 3 - cache.count();  // which compares the values
    write_file(cache.file(), flipped);
    EXPECT_EQ(cache.filled().count(), 3U) << place;
  }
  EXPECT_GT(lost, whole.size() / kStride / 2);
}

TEST(FeatureFile, StaysWithinItsBounds) {
  const Cache cache;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(cache.filled().file()));
  const auto store = cache.store("another network", bytes + 4096);
  for (std::uint64_t i = 1; i < 10; ++i) {
    store->keep(key(i), sample(i));
  }
  EXPECT_TRUE(store->find(key(1)));
  EXPECT_FALSE(store->find(key(9)));
}

TEST(FeatureFile, SeveralUseItAtATime) {
  const Cache cache;
  const auto reader = cache.store();
  EXPECT_FALSE(reader->find(key(1)));
  const auto write = [&](std::uint64_t first) {
    const auto store = cache.store();
    for (std::uint64_t i = first; i < first + 40; ++i) {
      store->keep(key(i), sample(i));
    }
  };
  std::thread one(write, 1);
  std::thread other(write, 21);
  one.join();
  other.join();
  const auto after = cache.store();
  for (std::uint64_t i = 1; i < 61; ++i) {
    expect_same(after->find(key(i)), sample(i));
  }
}

TEST(FeatureFile, AKilledWriterLeavesAUsableFile) {
  const Cache cache;
  cache.filled();
  const pid_t writer = ::fork();
  if (writer == 0) {
    const auto store = cache.store();
    for (std::uint64_t i = 100;; ++i) {
      store->keep(key(i), sample(i % 7));
    }
  }
  const auto before = fs::file_size(cache.file());
  while (fs::file_size(cache.file()) == before) {
    std::this_thread::yield();
  }
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_EQ(cache.count(), 3U);
  const auto store = cache.store();
  for (std::uint64_t i = 100; i < 110; ++i) {
    if (const auto found = store->find(key(i))) {
      expect_same(found, sample(i % 7));
    }
  }
  cache.store("a network", 1 << 30)->keep(key(4), sample(4));
  expect_same(cache.store()->find(key(4)), sample(4));
}

TEST(FeatureFile, AFolderThatCannotBeWrittenEndsNothing) {
  const Cache cache;
  write_file(cache.folder / "file", "");
  const auto store =
      make_file_store({.folder = cache.folder / "file", .identity = "x", .bytes = kPlenty});
  store->keep(key(1), sample(1));
  EXPECT_FALSE(store->find(key(1)));
}

}  // namespace leaf
