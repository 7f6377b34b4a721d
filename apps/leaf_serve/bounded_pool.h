#pragma once

#include <httplib.h>

#include <cstddef>
#include <functional>
#include <semaphore>
#include <utility>

namespace leaf::apps {

/// httplib's threads without its endless list of tasks: enqueue() waits until a thread is free, and
/// so does the server with accepting more connections than it serves.
class BoundedPool : public httplib::TaskQueue {
 public:
  explicit BoundedPool(std::size_t threads)
      : free_(static_cast<std::ptrdiff_t>(threads)), pool_(threads) {}

  /// Nothing; from httplib 0.15 on whether the task was taken.
  using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));
  Taken enqueue(std::function<void()> task) override {
    free_.acquire();
    return pool_.enqueue([this, run = std::move(task)] {
      run();
      free_.release();
    });
  }

  /// Waits for the tasks that were taken.
  void shutdown() override { pool_.shutdown(); }

 private:
  std::counting_semaphore<> free_;  ///< before the pool, whose threads use it
  httplib::ThreadPool pool_;
};

}  // namespace leaf::apps
