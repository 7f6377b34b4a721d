#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "leaf/data/picture.h"

namespace leaf::test {

/// A picture of one row: a pixel for each value.
inline data::Picture picture_row(const std::vector<double>& values, at::ScalarType type = at::kByte,
                                 std::int64_t bits = 8) {
  data::Picture picture;
  const auto width = static_cast<std::int64_t>(values.size());
  picture.samples = at::tensor(values).to(type).view({1, width, 1});
  picture.bits = bits;
  return picture;
}

}  // namespace leaf::test
