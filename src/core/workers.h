#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace leaf {

/// A fixed set of threads that run tasks: first come, first served. LibTorch's operators do not
/// spread over further threads in them: there are as many tasks as cores already.
class Workers {
 public:
  /// `count` threads; 0 takes as many as LibTorch's operators use (--threads, else one per core).
  /// Fewer, see count(), where the system allows no more; throws Error where it allows none.
  explicit Workers(std::size_t count = 0);
  /// Waits for the tasks that run; those that have not begun are dropped.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Runs `task`, which must not throw, as soon as a thread is free.
  void run(std::function<void()> task);
  std::size_t count() const { return threads_.size(); }

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace leaf
