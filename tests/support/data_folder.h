#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace leaf::test {

/// A test that wants the data sets, LEAF_DATA_DIR; skipped without.
class DataFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("LEAF_DATA_DIR");
    if (folder == nullptr) {
      GTEST_SKIP() << "LEAF_DATA_DIR is not set";
    }
    folder_ = folder;
  }

  std::filesystem::path folder_;
};

}  // namespace leaf::test
