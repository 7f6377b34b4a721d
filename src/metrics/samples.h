#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "leaf/core/strings.h"
#include "leaf/metrics/scores.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {

/// The values of one metric, by its place in the table.
inline std::vector<double> values_of(const std::vector<ImageScore>& scores, std::size_t metric) {
  std::vector<double> values;
  values.reserve(scores.size());
  for (const ImageScore& image : scores) {
    values.push_back(image.values[metric]);
  }
  return values;
}

/// Those of `values` that are defined, in their order.
inline std::vector<double> defined(const std::vector<double>& values) {
  std::vector<double> result;
  std::copy_if(values.begin(), values.end(), std::back_inserter(result), is_defined);
  return result;
}

/// A number in a table: empty where it is undefined.
inline std::string cell(double value, int decimals) {
  return is_defined(value) ? fixed(value, decimals) : "";
}

/// kUndefined without values.
inline double mean(const std::vector<double>& values) {
  return values.empty() ? kUndefined
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

inline double mean_of_defined(const std::vector<double>& values) { return mean(defined(values)); }

/// A percentile (0 to 1) of sorted values, at least one, interpolated linearly as numpy does.
inline double sorted_percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = below + 1 < sorted.size() ? below + 1 : below;
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace leaf::metrics
