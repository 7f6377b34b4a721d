#pragma once

#include <cstddef>
#include <vector>

namespace leaf::metrics {

/// A percentile (0 to 1) of sorted values, at least one, interpolated linearly as numpy does.
inline double sorted_percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = below + 1 < sorted.size() ? below + 1 : below;
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace leaf::metrics
