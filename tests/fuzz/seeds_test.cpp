#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>

#include "leaf/core/files.h"
#include "targets.h"

namespace leaf::fuzz {

/// For GoogleTest, which would print the bytes.
void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

class FuzzSeeds : public ::testing::TestWithParam<Target> {};

/// Every seed, and every one cut off or with a byte changed: what a fuzzer would begin with.
TEST_P(FuzzSeeds, DoNoMoreThanThrow) {
  const auto folder = std::filesystem::path(LEAF_SOURCE_DIR) / "tests/fuzz/seeds" / GetParam().name;
  const auto seeds = list_folder(folder);
  ASSERT_GE(seeds.size(), 3U);
  for (const auto& seed : seeds) {
    SCOPED_TRACE(seed.filename().string());
    const std::string bytes = read_file(seed);
    EXPECT_NO_THROW(GetParam().run(bytes));
    for (std::size_t i = 0; i < bytes.size(); i += bytes.size() / 16 + 1) {
      EXPECT_NO_THROW(GetParam().run(std::string_view(bytes).substr(0, i))) << i;
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 0x81);
      EXPECT_NO_THROW(GetParam().run(changed)) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, FuzzSeeds, ::testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace leaf::fuzz
