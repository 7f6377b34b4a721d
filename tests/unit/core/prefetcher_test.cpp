#include "core/prefetcher.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace leaf {
namespace {

using namespace std::chrono_literals;

}  // namespace

TEST(Prefetcher, GivesResultsInOrderHoweverLongTheyTake) {
  Workers workers(4);
  Prefetcher<std::size_t> squares(workers, {.first = 3, .end = 40}, 6, [](std::size_t i) {
    std::this_thread::sleep_for((i % 4) * 1ms);
    return i * i;
  });
  for (std::size_t i = 3; i < 40; ++i) {
    EXPECT_EQ(squares.next(), i * i);
  }
}

TEST(Prefetcher, KeepsToItsBoundsAndToItsThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> made = 0;
  Workers workers(3);
  Prefetcher<int> results(workers, {.first = 0, .end = 100}, 5, [&](std::size_t /*i*/) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return ++made;
  });
  for (int taken = 1; taken <= 100; ++taken) {
    results.next();
    EXPECT_LE(made, taken + 5);
  }
  EXPECT_EQ(made, 100);
  EXPECT_LE(threads.size(), 3U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(Prefetcher, AnExceptionTakesItsPlaceAndStays) {
  Workers workers(2);
  Prefetcher<std::size_t> results(
      workers, {}, 4, [](std::size_t i) { return i == 2 ? throw DataError("the third") : i; });
  EXPECT_EQ(results.next(), 0U);
  EXPECT_EQ(results.next(), 1U);
  EXPECT_THROW(results.next(), DataError);
  EXPECT_THROW(results.next(), DataError);
}

TEST(Prefetcher, StopsWithoutMakingWhatNobodyWants) {
  std::atomic<int> made = 0;
  Workers workers(1);
  {
    Prefetcher<int> results(workers, {}, 1000, [&](std::size_t /*i*/) {
      std::this_thread::sleep_for(1ms);
      return ++made;
    });
    results.next();
  }
  const int at_the_end = made;
  EXPECT_LT(at_the_end, 1000);
  std::this_thread::sleep_for(10ms);
  EXPECT_EQ(made, at_the_end);
}

TEST(OrderedResults, KnowsWhatIsReady) {
  Workers workers(2);
  OrderedResults<int> results(workers);
  EXPECT_FALSE(results.ready());
  std::promise<void> go;
  results.submit([&] {
    go.get_future().wait();
    return 1;
  });
  results.submit([] { return 2; });
  EXPECT_FALSE(results.ready()) << "the first one waits";
  EXPECT_EQ(results.size(), 2U);
  go.set_value();
  EXPECT_EQ(results.take(), 1);
  EXPECT_EQ(results.take(), 2);
  EXPECT_EQ(results.size(), 0U);
}

TEST(Workers, ComputeOnTheirOwnThreadAlone) {
  Workers workers(2);
  OrderedResults<int> results(workers);
  results.submit([] { return at::get_num_threads(); });
  EXPECT_EQ(results.take(), 1);
  EXPECT_EQ(Workers().count(), static_cast<std::size_t>(at::get_num_threads()));
}

}  // namespace leaf
