#include "core/batch_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "leaf/core/error.h"

namespace leaf {
namespace {

using namespace std::chrono_literals;

constexpr auto kForever = std::chrono::hours(1);

/// A queue of numbers that gives each number's text and records the sizes of its batches.
struct TextQueue {
  TextQueue(std::size_t batch_size, std::chrono::steady_clock::duration max_wait)
      : queue({batch_size, max_wait}, [this](const std::vector<int>& inputs) {
          sizes.push_back(inputs.size());
          std::vector<std::string> texts;
          for (const int input : inputs) {
            texts.push_back(input < 0 ? throw std::runtime_error("negative")
                                      : std::to_string(input));
          }
          return texts;
        }) {}

  std::vector<std::size_t> sizes;  // before the queue, whose thread writes them
  BatchQueue<int, std::string> queue;
};

}  // namespace

TEST(BatchQueue, ABatchThatIsFullDoesNotWait) {
  TextQueue texts(3, kForever);
  auto a = texts.queue.submit(1);
  auto b = texts.queue.submit(2);
  EXPECT_EQ(a.wait_for(20ms), std::future_status::timeout);
  auto c = texts.queue.submit(3);
  EXPECT_EQ(a.get() + b.get() + c.get(), "123");
  EXPECT_EQ(texts.sizes, (std::vector<std::size_t>{3}));
}

TEST(BatchQueue, TheFirstWaitsNoLongerThanItMay) {
  TextQueue texts(100, 1ms);
  EXPECT_EQ(texts.queue.submit(7).get(), "7");
  EXPECT_EQ(texts.sizes, (std::vector<std::size_t>{1}));
}

TEST(BatchQueue, WhatComesMeanwhileIsTheNextBatch) {
  std::promise<void> open;
  std::atomic<std::size_t> largest = 0;
  BatchQueue<int, int> queue({4, 0ms},
                             [&, gate = open.get_future().share()](const std::vector<int>& inputs) {
                               gate.wait();
                               largest = std::max<std::size_t>(largest, inputs.size());
                               return inputs;
                             });
  std::vector<std::future<int>> results;
  for (int i = 0; i < 6; ++i) {
    results.push_back(queue.submit(i));
  }
  open.set_value();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i);
  }
  EXPECT_GE(largest, 2U);  // 6 in batches of 4, the first of which may be smaller
  EXPECT_LE(largest, 4U);
}

TEST(BatchQueue, AFailureIsItsOwnInputsAlone) {
  TextQueue texts(3, kForever);
  auto a = texts.queue.submit(1);
  auto b = texts.queue.submit(-1);
  auto c = texts.queue.submit(3);
  EXPECT_EQ(a.get(), "1");
  EXPECT_THROW(b.get(), std::runtime_error);
  EXPECT_EQ(c.get(), "3");
  EXPECT_EQ(texts.sizes, (std::vector<std::size_t>{3, 1, 1, 1}));
}

TEST(BatchQueue, TooFewOrTooManyResultsAreAFailure) {
  const std::vector<std::vector<int>> wrong{{}, {1}, {1, 2, 3}};
  for (const std::vector<int>& outputs : wrong) {
    BatchQueue<int, int> queue({2, kForever}, [&](const std::vector<int>& inputs) {
      return inputs.size() == 2 || inputs.front() == 7 ? outputs : inputs;
    });
    auto a = queue.submit(5);
    auto b = queue.submit(6);
    EXPECT_EQ(a.get(), 5);  // by itself
    EXPECT_EQ(b.get(), 6);
    if (outputs.size() != 1) {
      auto c = queue.submit(7);
      auto d = queue.submit(8);
      EXPECT_THROW(c.get(), Error);
      EXPECT_EQ(d.get(), 8);
    }
  }
}

TEST(BatchQueue, WhatWasSubmittedIsProcessedBeforeTheEnd) {
  std::future<std::string> result;
  {
    TextQueue texts(100, kForever);
    result = texts.queue.submit(5);
  }
  EXPECT_EQ(result.get(), "5");
}

TEST(BatchQueue, ManyThreadsGetTheirOwnResults) {
  TextQueue texts(5, 1ms);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&texts, &wrong, thread] {
        for (int i = thread; i < 400; i += 8) {
          wrong += texts.queue.submit(i).get() == std::to_string(i) ? 0 : 1;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace leaf
