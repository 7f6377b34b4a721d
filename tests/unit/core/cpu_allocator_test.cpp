#include "leaf/core/cpu_allocator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace leaf {
namespace {

constexpr std::int64_t kMegabyte = 1'000'000;

std::int64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  in >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST(PoolingAllocator, KeepsWhatIsFreedUntilItIsReleased) {
  install_pooling_allocator();
  release_unused_memory();
  const std::int64_t before = resident_bytes();
  at::Tensor tensor = at::ones({16 * kMegabyte}, at::kFloat);
  const void* const first = tensor.const_data_ptr();
  tensor = at::Tensor();
  EXPECT_GT(resident_bytes(), before + 60 * kMegabyte);
  tensor = at::empty({16 * kMegabyte}, at::kFloat);
  EXPECT_EQ(tensor.const_data_ptr(), first);  // used again
  release_unused_memory();                    // nothing of what is in use
  EXPECT_EQ(tensor[5].item<float>(), 1);
  tensor = at::Tensor();
  release_unused_memory();
  EXPECT_LT(resident_bytes(), before + 10 * kMegabyte);
}

TEST(PoolingAllocator, WhatWasDoneOnceNeedsNoNewPages) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed blocks aside";
#endif
  install_pooling_allocator();
  release_unused_memory();
  const at::Tensor in_use =
      at::empty({5 * kMegabyte}, at::kFloat);  // little, as weights in training
  const auto faults_of_a_round = [] {
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    for (std::int64_t kilobytes = 4; kilobytes < 40'000; kilobytes *= 2) {
      const at::Tensor a = at::ones({kilobytes * 256}, at::kFloat);
      const at::Tensor b = a + a;
    }  // at the end of a step little is in use, and the next one wants all of it again
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    return after.ru_minflt - before.ru_minflt;
  };
  std::int64_t least = faults_of_a_round();
  for (int round = 0; round < 10; ++round) {
    least = std::min<std::int64_t>(least, faults_of_a_round());
  }
  EXPECT_LT(least, 20);
}

TEST(PoolingAllocator, KeepsAtMostTwiceWhatWasInUse) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed blocks aside";
#endif
  install_pooling_allocator();
  release_unused_memory();
  const std::int64_t before = resident_bytes();
  for (std::int64_t megabytes = 100; megabytes <= 200; megabytes += 10) {
    at::ones({megabytes * kMegabyte / 4}, at::kFloat);
  }
  EXPECT_LT(resident_bytes(), before + 420 * kMegabyte);  // of 1650 that passed through
  release_unused_memory();
}

TEST(PoolingAllocator, ForgetsALargePeak) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed blocks aside";
#endif
  install_pooling_allocator();
  release_unused_memory();
  const std::int64_t before = resident_bytes();
  at::ones({100 * kMegabyte}, at::kFloat);  // as of one large image among small ones
  EXPECT_GT(resident_bytes(), before + 350 * kMegabyte);
  for (int i = 0; i < 70'000; ++i) {
    at::empty({kMegabyte}, at::kFloat);  // always the same block: nothing is mapped
  }
  EXPECT_LT(resident_bytes(), before + 50 * kMegabyte);
}

}  // namespace leaf
