#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

namespace leaf {

/// The results of load(0) .. load(count - 1) in order, made ahead of their use: at most `depth` of
/// them (and no more than there are cores) exist or are being made at a time, each on a thread of
/// its own.
template <typename T>
class LoadAhead {
 public:
  LoadAhead(std::size_t count, std::size_t depth, std::function<T(std::size_t)> load)
      : count_(count), load_(std::move(load)) {
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < std::clamp<std::size_t>(depth, 1, cores); ++i) {
      start_one();
    }
  }

  /// The next result, or the exception that load threw instead; to be called `count` times at most.
  T next() {
    std::future<T> result = std::move(pending_.front());
    pending_.pop_front();
    result.wait();
    start_one();
    return result.get();
  }

 private:
  void start_one() {
    if (started_ == count_) {
      return;
    }
    const std::size_t index = started_++;
    try {
      pending_.push_back(std::async(std::launch::async, load_, index));
    } catch (const std::system_error&) {  // no further thread may be started: made when it is due
      pending_.push_back(std::async(std::launch::deferred, load_, index));
    }
  }

  std::size_t count_;
  std::size_t started_ = 0;
  std::function<T(std::size_t)> load_;
  std::deque<std::future<T>> pending_;
};

}  // namespace leaf
