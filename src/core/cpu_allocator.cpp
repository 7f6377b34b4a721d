#include "leaf/core/cpu_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "core/memory.h"

namespace leaf {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kPooledFrom = std::size_t{1} << 20;

/// The largest of the values of late.
class RecentMaximum {
 public:
  /// True where a span of values has ended, and with it the memory of the one before it.
  bool add(std::size_t value) {
    now_ = std::max(now_, value);
    if (++count_ < kSpan) {
      return false;
    }
    before_ = std::exchange(now_, value);
    count_ = 0;
    return true;
  }
  void start_anew(std::size_t value) {
    before_ = now_ = value;
    count_ = 0;
  }
  std::size_t value() const { return std::max(before_, now_); }

 private:
  static constexpr int kSpan = 32768;  // blocks: more than a training step of the full size takes
  int count_ = 0;
  std::size_t now_ = 0;     // of this span
  std::size_t before_ = 0;  // of the last
};

/// Blocks of whole huge pages, kept by size after their release. Steps that repeat want again what
/// lies unused now; what makes the whole larger than twice the most that was in use of late is of
/// sizes that nobody asks for any more.
class BlockPool {
 public:
  void* take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    // A larger block serves as well, as long as little of it is wasted.
    auto found = free_.lower_bound(size);
    if (found != free_.end() && found->first <= size + size / 4) {
      // Of those of one size the last released: it is the one still in the processor's cache.
      found = std::prev(free_.upper_bound(found->first));
      const auto [reused, block] = *found;
      free_.erase(found);
      free_bytes_ -= reused;
      note_taken(block, reused);
      return block;
    }
    void* block = map(size);
    mapped_bytes_ += size;
    note_taken(block, size);
    return block;
  }

  /// False when the block is not the pool's.
  bool give_back(void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = taken_.find(block);
    if (found == taken_.end()) {
      return false;
    }
    free_.emplace(found->second, block);
    free_bytes_ += found->second;
    taken_.erase(found);
    return true;
  }

  void release_free() {
    const std::lock_guard lock(mutex_);
    release_free_blocks();
    most_taken_.start_anew(taken_bytes());
  }

  static std::size_t rounded(std::size_t bytes) {
    return (bytes + kHugePage - 1) / kHugePage * kHugePage;
  }

 private:
  std::size_t taken_bytes() const { return mapped_bytes_ - free_bytes_; }

  void note_taken(void* block, std::size_t size) {
    taken_[block] = size;
    if (most_taken_.add(taken_bytes()) && mapped_bytes_ > 2 * most_taken_.value()) {
      release_free_blocks();
    }
  }

  bool keeps_too_much(std::size_t wanted) const {
    if (free_bytes_ == 0) {
      return false;  // as while weights are loaded: nobody need look up what the machine has left
    }
    const std::size_t most = std::max(most_taken_.value(), taken_bytes() + wanted);
    if (mapped_bytes_ + wanted > 2 * most) {
      return true;
    }
    const auto available = available_memory_bytes();  // others want memory, too
    return available && static_cast<double>(free_bytes_) > *available / 2;
  }

  void* map(std::size_t size) {
    if (keeps_too_much(size)) {
      release_free_blocks();
    }
    void* block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      release_free_blocks();
      block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (block == MAP_FAILED) {
      throw std::bad_alloc();
    }
    ::madvise(block, size, MADV_HUGEPAGE);
    return block;
  }

  void release_free_blocks() {
    for (const auto& [size, block] : free_) {
      ::munmap(block, size);
      mapped_bytes_ -= size;
    }
    free_.clear();
    free_bytes_ = 0;
  }

  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
  std::map<void*, std::size_t> taken_;
  std::size_t free_bytes_ = 0;
  std::size_t mapped_bytes_ = 0;  // free or not
  RecentMaximum most_taken_;      // bytes in use at a time
};

/// Never destroyed: tensors in static storage may outlive everything else.
BlockPool& pool() {
  static auto* const instance = new BlockPool;
  return *instance;
}

void release(void* block) {
  const bool page_aligned = reinterpret_cast<std::uintptr_t>(block) % kPage == 0;
  if (!page_aligned || !pool().give_back(block)) {
    c10::free_cpu(block);
  }
}

class PoolingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* block = bytes < kPooledFrom ? c10::alloc_cpu(bytes) : pool().take(bytes);
    return {block, block, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    std::memcpy(destination, source, bytes);
  }
};

/// What the pool leaves to the C library that one keeps as well.
void keep_small_blocks() {
#ifdef __GLIBC__
  constexpr int kMegabyte = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, 32 * kMegabyte);   // the most: smaller ones come from the heap,
  ::mallopt(M_TRIM_THRESHOLD, 256 * kMegabyte);  // which does not shrink when its end is free
#endif
}

}  // namespace

void install_pooling_allocator() {
  keep_small_blocks();
  static PoolingAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

std::size_t allocated_bytes(std::size_t bytes) {
  return bytes < kPooledFrom ? bytes : BlockPool::rounded(bytes);
}

void release_unused_memory() {
  pool().release_free();
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace leaf
