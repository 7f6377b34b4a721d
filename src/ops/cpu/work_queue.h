#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

namespace leaf::ops::cpu {

/// Pieces of work 0 .. count - 1, each handed out once, in order.
class WorkQueue {
 public:
  explicit WorkQueue(std::int64_t count) : count_(count) {}

  /// The next piece; nothing when all are taken.
  std::optional<std::int64_t> take() {
    const std::int64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
    return piece < count_ ? std::optional(piece) : std::nullopt;
  }

 private:
  std::int64_t count_;
  std::atomic<std::int64_t> next_ = 0;
};

/// Calls worker(queue) on each of LibTorch's threads, which takes pieces until none is left: a
/// thread that the machine holds up holds up one piece, not its share of all. Which thread does a
/// piece must not change the result.
template <typename Worker>
void share_work(std::int64_t count, const Worker& worker) {
  WorkQueue queue(count);
  const std::int64_t workers = std::min<std::int64_t>(count, at::get_num_threads());
  at::parallel_for(0, workers, 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      worker(queue);
    }
  });
}

}  // namespace leaf::ops::cpu
