// leaf_serve: how many connections it takes.

#include "leaf_serve/bounded_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

namespace leaf::apps {

TEST(BoundedPool, TakesNoMoreThanItHasThreads) {
  BoundedPool pool(2);
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  std::atomic<int> done = 0;
  const auto enqueue = [&] {
    pool.enqueue([&, gate] {
      gate.wait();
      ++done;
    });
  };
  enqueue();
  enqueue();
  const auto third = std::async(std::launch::async, enqueue);
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  open.set_value();
  third.wait();
  pool.shutdown();
  EXPECT_EQ(done, 3);
}

}  // namespace leaf::apps
