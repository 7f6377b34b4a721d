#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace leaf::ops::cpu {

/// Pieces of work 0 .. count - 1, each handed out once. Each worker gets those of its own share
/// first, in order: neighbours in memory, and in the next operator the same ones again, which then
/// lie in the caches of its own core. What is left of the others' shares comes after.
class SharedWork {
 public:
  SharedWork(std::int64_t count, std::int64_t workers)
      : shares_(static_cast<std::size_t>(workers)) {
    for (std::int64_t i = 0; i < workers; ++i) {
      Share& share = shares_[static_cast<std::size_t>(i)];
      share.next = count * i / workers;
      share.end = count * (i + 1) / workers;
    }
  }

  std::optional<std::int64_t> take(std::size_t worker) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[(worker + i) % shares_.size()];
      if (share.next.load(std::memory_order_relaxed) < share.end) {
        const std::int64_t piece = share.next.fetch_add(1, std::memory_order_relaxed);
        if (piece < share.end) {
          return piece;
        }
      }
    }
    return std::nullopt;
  }

 private:
  /// In a cache line of its own, and of the one that is fetched along with it.
  struct alignas(128) Share {
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };
  std::vector<Share> shares_;
};

/// The work as one worker sees it.
class WorkQueue {
 public:
  WorkQueue(SharedWork& work, std::int64_t worker)
      : work_(work), worker_(static_cast<std::size_t>(worker)) {}

  /// The next piece; nothing when all are taken.
  std::optional<std::int64_t> take() { return work_.take(worker_); }

 private:
  SharedWork& work_;
  std::size_t worker_;
};

/// Calls worker(queue) on each of LibTorch's threads, which takes pieces until none is left: a
/// thread that the machine holds up holds up one piece, not its share of all. Which thread does a
/// piece must not change the result.
template <typename Worker>
void share_work(std::int64_t count, const Worker& worker) {
  const std::int64_t workers = std::min<std::int64_t>(count, at::get_num_threads());
  SharedWork work(count, workers);
  at::parallel_for(0, workers, 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      WorkQueue queue(work, begin);
      worker(queue);
    }
  });
}

}  // namespace leaf::ops::cpu
