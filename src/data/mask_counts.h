#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "leaf/data/mask_values.h"

namespace leaf::data {

/// How often each value stands in a mask.
struct ValueCounts {
  std::map<double, std::int64_t> of;
  std::int64_t rest = 0;  ///< pixels of further values, where there are more than kMostValues
  std::int64_t total = 0;

  static constexpr std::size_t kMostValues = 4096;

  /// The share of the pixels whose value lies above `low` and below `high`.
  double share_between(double low, double high) const;
  /// "0, 1, 128, ...": the smallest values, the first few of them.
  std::string text() const;
};

/// Counts the values of a mask but those that are ignored.
ValueCounts count_values(const Mask& mask);

}  // namespace leaf::data
