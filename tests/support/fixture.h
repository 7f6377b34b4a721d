#pragma once

#include <filesystem>
#include <string>

namespace leaf::test {

/// A file in tests/fixtures.
inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(LEAF_FIXTURES) / name;
}

}  // namespace leaf::test
