#pragma once

#include <gtest/gtest.h>

#include <string>

namespace leaf::test {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_TRUE(contains(text, part)) << part << " in: " << text;
}

}  // namespace leaf::test
