#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"

namespace leaf::test {

/// A safetensors file as bytes: the length of `header`, the header, the data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header + data;
}

/// Runs `action` and expects a WeightsError of one line that names `path` and gives `reason`.
template <typename Action>
void expect_weights_error(const std::filesystem::path& path, const std::string& reason,
                          const Action& action) {
  try {
    action();
    FAIL() << "no WeightsError (" << reason << ")";
  } catch (const WeightsError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 600U) << message;
  }
}

}  // namespace leaf::test
