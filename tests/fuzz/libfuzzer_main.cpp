#include <cstddef>
#include <cstdint>

#include "targets.h"

// LEAF_FUZZ_TARGET is the name of a function in targets.h.
// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  leaf::fuzz::LEAF_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
