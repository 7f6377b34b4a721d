#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {

/// Gathers what several threads submit into batches, which one thread processes: as many as have
/// come, up to the batch size, when that many are there or the first of them has waited long
/// enough.
template <typename In, typename Out>
class BatchQueue {
 public:
  struct Options {
    std::size_t batch_size = 1;
    /// How long the first of a batch waits for others.
    std::chrono::steady_clock::duration max_wait{};
  };
  /// Gives a result for each input, in their order.
  using Process = std::function<std::vector<Out>(const std::vector<In>&)>;

  BatchQueue(const Options& options, Process process)
      : options_(options), process_(std::move(process)), thread_([this] { work(); }) {}

  /// Processes what was submitted first.
  ~BatchQueue() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// The future gives the input's result. It throws what processing threw: where a batch fails, its
  /// inputs are processed one by one, so that a failure is that of its input alone.
  std::future<Out> submit(In input) {
    Item item{std::move(input), {}, Clock::now() + options_.max_wait};
    std::future<Out> result = item.result.get_future();
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
    }
    changed_.notify_one();
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Item {
    In input;
    std::promise<Out> result;
    Clock::time_point latest;  ///< when it waits no longer for others
  };

  struct Batch {
    std::vector<In> inputs;
    std::vector<std::promise<Out>> results;

    void add(In input, std::promise<Out> result) {
      inputs.push_back(std::move(input));
      results.push_back(std::move(result));
    }
  };

  void work() {
    for (Batch batch = take(); !batch.inputs.empty(); batch = take()) {
      run(std::move(batch));
    }
  }

  /// Waits for a batch; an empty one ends the work.
  Batch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
    if (!items_.empty()) {
      changed_.wait_until(lock, items_.front().latest,
                          [this] { return stopping_ || items_.size() >= options_.batch_size; });
    }
    Batch batch;
    while (!items_.empty() && batch.inputs.size() < std::max<std::size_t>(1, options_.batch_size)) {
      batch.add(std::move(items_.front().input), std::move(items_.front().result));
      items_.pop_front();
    }
    return batch;
  }

  void run(Batch batch) {
    try {
      std::vector<Out> outputs = process_(batch.inputs);
      if (outputs.size() != batch.inputs.size()) {  // else promises would be kept twice
        throw Error(str("a batch of ", batch.inputs.size(), " gave ", outputs.size(), " results"));
      }
      for (std::size_t i = 0; i < batch.results.size(); ++i) {
        batch.results[i].set_value(std::move(outputs[i]));
      }
    } catch (...) {
      fail(std::move(batch), std::current_exception());
    }
  }

  void fail(Batch batch, const std::exception_ptr& failure) {
    if (batch.inputs.size() == 1) {
      batch.results.front().set_exception(failure);
      return;
    }
    for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
      Batch one;
      one.add(std::move(batch.inputs[i]), std::move(batch.results[i]));
      run(std::move(one));
    }
  }

  Options options_;
  Process process_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace leaf
