#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/io/tensor_map.h"

namespace leaf::test {

inline void expect_equal(const io::TensorMap& ours, const io::TensorMap& expected) {
  ASSERT_EQ(ours.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(ours.contains(name)) << name;
    EXPECT_TRUE(at::equal(ours.at(name), tensor)) << name;
  }
}

}  // namespace leaf::test
