#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "leaf_serve/exchange.h"

namespace leaf::apps {

/// How many values were at most each bound, as Prometheus counts them.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void add(double value);
  /// The lines of a metric of that name.
  std::string text(const std::string& name) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  ///< one more, for larger values
  double sum_ = 0;
};

/// What GET /metrics says, in Prometheus' text format. May be used by several threads at once.
class Metrics {
 public:
  void count(const Exchange& exchange);
  void count_batch(std::size_t images);
  /// With the images that are at work now.
  std::string text(std::size_t queue_length) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;  ///< by path and status
  std::uint64_t images_ = 0;
  Histogram batches_{{1, 2, 4, 8, 16, 32, 64, 128}};
  Histogram seconds_{{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}};
};

}  // namespace leaf::apps
