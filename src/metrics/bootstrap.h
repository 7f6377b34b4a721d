#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "leaf/metrics/summary.h"

namespace leaf::metrics {

/// The 95 % interval of the mean of the defined values: the 2.5 % and 97.5 % percentiles of the
/// means of 1000 resamples of the images or, where `groups` are given (one per value), of whole
/// groups. Different `stream`s of a seed are independent. Empty for fewer than two to draw from.
std::optional<Interval> bootstrap_interval(const std::vector<double>& values,
                                           const std::vector<std::string>& groups,
                                           std::uint64_t seed, std::uint64_t stream);

}  // namespace leaf::metrics
