#include "leaf/core/error.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>

namespace leaf {
namespace {

template <typename Failure>
bool is_of_memory(const Failure& fail) {
  try {
    fail();
  } catch (const std::exception& failure) {
    const bool found = is_out_of_memory(failure);
    EXPECT_EQ(plain_message(failure) == "out of memory; use a smaller batch or resolution", found);
    return found;
  }
  return false;
}

TEST(OutOfMemory, IsToldByWhicheverException) {
  EXPECT_TRUE(is_of_memory([] { throw std::bad_alloc(); }));
  EXPECT_TRUE(
      is_of_memory([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); }));
  EXPECT_TRUE(is_of_memory([] {  // as c10/core/impl/alloc_cpu.cpp says it
    TORCH_CHECK(false, "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't ",
                "allocate memory");
  }));
  EXPECT_FALSE(is_of_memory([] { TORCH_CHECK(false, "sizes do not match"); }));
  EXPECT_FALSE(is_of_memory([] { throw DataError("no image"); }));
}

}  // namespace
}  // namespace leaf
