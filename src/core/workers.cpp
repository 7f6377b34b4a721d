#include "core/workers.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

/// LibTorch asks OpenMP, whose number of threads is each thread's own. A first call of LibTorch's
/// would set it to the process's.
void compute_on_this_thread_alone() {
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(1);
}

}  // namespace

Workers::Workers(std::size_t count) {
  const std::size_t wanted = count > 0 ? count : static_cast<std::size_t>(at::get_num_threads());
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, wanted); ++i) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error& failure) {  // those that run do the work
    if (threads_.empty()) {
      throw Error(str("cannot start a thread: ", failure.code().message()));
    }
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void Workers::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Workers::work() {
  compute_on_this_thread_alone();
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace leaf
