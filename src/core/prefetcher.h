#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <utility>

#include "core/workers.h"
#include "leaf/core/error.h"

namespace leaf {

/// The results of tasks that workers run, in the order in which the tasks were submitted. To be
/// used by one thread.
template <typename T>
class OrderedResults {
 public:
  /// `workers` must outlive the results.
  explicit OrderedResults(Workers& workers) : workers_(workers) {}

  /// Waits for the tasks that run, so that they may refer to what outlives this; those that have
  /// not begun never do.
  ~OrderedResults() {
    *stopped_ = true;
    for (std::future<T>& result : results_) {
      result.wait();
    }
  }
  OrderedResults(const OrderedResults&) = delete;
  OrderedResults& operator=(const OrderedResults&) = delete;

  void submit(std::function<T()> task) {
    auto promise = std::make_shared<std::promise<T>>();
    results_.push_back(promise->get_future());
    workers_.run([promise, stopped = stopped_, task = std::move(task)] {
      try {
        promise->set_value(*stopped ? throw Error("stopped") : task());
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
  }

  /// Waits for the oldest result; throws what its task threw. There must be one.
  T take() {
    std::future<T> result = std::move(results_.front());
    results_.pop_front();
    return result.get();
  }

  /// How many have been submitted and not been taken.
  std::size_t size() const { return results_.size(); }

  /// True if there is an oldest result and take() would not wait for it.
  bool ready() const {
    return !results_.empty() &&
           results_.front().wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  Workers& workers_;
  std::shared_ptr<std::atomic<bool>> stopped_ = std::make_shared<std::atomic<bool>>(false);
  std::deque<std::future<T>> results_;
};

/// The results of make(first), make(first + 1), ... in this order, made by workers ahead of their
/// use. To be used by one thread.
template <typename T>
class Prefetcher {
 public:
  struct Range {
    std::size_t first = 0;
    std::size_t end = std::numeric_limits<std::size_t>::max();
  };

  /// At most `ahead` results (1 or more) exist or are being made at a time. `make` is called from
  /// several threads at once; what it refers to, and `workers`, must outlive the prefetcher.
  Prefetcher(Workers& workers, Range range, std::size_t ahead, std::function<T(std::size_t)> make)
      : range_(range), make_(std::move(make)), results_(workers) {
    for (std::size_t i = 0; i < ahead; ++i) {
      start_one();
    }
  }

  /// The next result, to be called once for each in the range. Throws what `make` threw in its
  /// place, and then again whenever it is called.
  T next() {
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    try {
      T result = results_.take();
      start_one();
      return result;
    } catch (...) {
      failure_ = std::current_exception();
      throw;
    }
  }

 private:
  void start_one() {
    if (range_.first < range_.end) {
      results_.submit([this, i = range_.first++] { return make_(i); });
    }
  }

  Range range_;  ///< of what is not begun
  std::function<T(std::size_t)> make_;
  std::exception_ptr failure_;
  OrderedResults<T> results_;
};

}  // namespace leaf
