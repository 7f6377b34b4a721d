#include "bootstrap.h"

#include <algorithm>
#include <cstddef>
#include <unordered_map>

#include "leaf/core/random.h"

namespace leaf::metrics {
namespace {

/// What is drawn at once.
struct Draw {
  double sum = 0;
  double count = 0;
};

std::vector<Draw> draws_of(const std::vector<double>& values,
                           const std::vector<std::string>& groups) {
  std::vector<Draw> draws;
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_defined(values[i])) {
      continue;
    }
    const bool is_new = groups.empty() || place.emplace(groups[i], draws.size()).second;
    if (is_new) {
      draws.emplace_back();
    }
    Draw& draw = is_new ? draws.back() : draws[place[groups[i]]];
    draw.sum += values[i];
    draw.count += 1;
  }
  return draws;
}

}  // namespace

std::optional<Interval> bootstrap_interval(const std::vector<double>& values,
                                           const std::vector<std::string>& groups,
                                           std::uint64_t seed, std::uint64_t stream) {
  constexpr std::size_t kResamples = 1000;
  const std::vector<Draw> draws = draws_of(values, groups);
  if (draws.size() < 2) {
    return std::nullopt;
  }
  RandomStream random(seed, Purpose::kBootstrap, stream);
  std::vector<double> means(kResamples);
  for (double& resampled : means) {
    Draw total;
    for (std::size_t i = 0; i < draws.size(); ++i) {
      const Draw& draw = draws[random.below(draws.size())];
      total.sum += draw.sum;
      total.count += draw.count;
    }
    resampled = total.sum / total.count;
  }
  std::sort(means.begin(), means.end());
  return Interval{means[kResamples / 40], means[kResamples - 1 - kResamples / 40]};
}

}  // namespace leaf::metrics
