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

#include "core/memory.h"

namespace leaf {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kPooledFrom = std::size_t{1} << 20;

/// Blocks of whole huge pages, kept by size after their release.
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
    most_taken_ = taken_bytes();
  }

 private:
  std::size_t taken_bytes() const { return mapped_bytes_ - free_bytes_; }

  void note_taken(void* block, std::size_t size) {
    taken_[block] = size;
    most_taken_ = std::max(most_taken_, taken_bytes());
  }

  static std::size_t rounded(std::size_t bytes) {
    return (bytes + kHugePage - 1) / kHugePage * kHugePage;
  }

  /// Steps that repeat want again what lies unused now. What makes the whole larger than twice the
  /// most that was in use of late is of sizes that nobody asks for any more; and others want
  /// memory, too.
  bool keeps_too_much(std::size_t wanted) {
    constexpr std::size_t kForgotten = 4096;  // what repeats maps nothing, and so forgets nothing
    most_taken_ = std::max(most_taken_ - most_taken_ / kForgotten, taken_bytes() + wanted);
    if (free_bytes_ == 0) {
      return false;  // as while weights are loaded: nobody need look up what the machine has left
    }
    const double available = available_memory_bytes();  // 0 where nobody knows
    return mapped_bytes_ + wanted > 2 * most_taken_ ||
           (available > 0 && static_cast<double>(free_bytes_) > available / 2);
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
  std::size_t most_taken_ = 0;    // in use at a time, of late
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

void release_unused_memory() {
  pool().release_free();
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace leaf
