#include "leaf/metrics/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace leaf::metrics {
namespace {

/// The differences by size, with twice their ranks: those of ties are halves.
struct Ranked {
  std::vector<std::size_t> doubled_ranks;
  std::size_t doubled_plus = 0;  ///< twice the sum of the ranks of positive differences
  double tie_term = 0;           ///< sum of t^3 - t over runs of t equal ones
};

std::vector<double> rounded_nonzero(const std::vector<double>& differences) {
  constexpr double kGrid = 1e9;
  std::vector<double> result;
  for (const double difference : differences) {
    const double value = std::round(difference * kGrid) / kGrid;
    if (value != 0) {
      result.push_back(value);
    }
  }
  return result;
}

Ranked rank(std::vector<double> differences) {
  std::sort(differences.begin(), differences.end(),
            [](double a, double b) { return std::abs(a) < std::abs(b); });
  Ranked ranked;
  for (std::size_t first = 0; first < differences.size();) {
    std::size_t last = first + 1;
    while (last < differences.size() &&
           std::abs(differences[last]) == std::abs(differences[first])) {
      ++last;
    }
    const std::size_t doubled = first + last + 1;  // ranks first + 1 to last, their mean doubled
    for (std::size_t i = first; i < last; ++i) {
      ranked.doubled_ranks.push_back(doubled);
      ranked.doubled_plus += differences[i] > 0 ? doubled : 0;
    }
    const auto run = static_cast<double>(last - first);
    ranked.tie_term += run * run * run - run;
    first = last;
  }
  return ranked;
}

/// Twice the smaller tail of the sum of ranks when every sign is as likely as the other.
double exact_p(const Ranked& ranked) {
  const std::size_t total =
      std::accumulate(ranked.doubled_ranks.begin(), ranked.doubled_ranks.end(), std::size_t{0});
  std::vector<double> chance(total + 1);
  chance[0] = 1;
  for (const std::size_t r : ranked.doubled_ranks) {
    for (std::size_t sum = total + 1; sum-- > 0;) {
      chance[sum] = (chance[sum] + (sum >= r ? chance[sum - r] : 0)) / 2;
    }
  }
  const auto at = chance.begin() + static_cast<std::ptrdiff_t>(ranked.doubled_plus);
  const double below = std::accumulate(chance.begin(), at + 1, 0.0);
  const double above = std::accumulate(at, chance.end(), 0.0);
  return std::min(1.0, 2 * std::min(below, above));
}

double normal_p(const Ranked& ranked) {
  const auto n = static_cast<double>(ranked.doubled_ranks.size());
  const double mean = n * (n + 1) / 4;
  const double variance = (n * (n + 1) * (2 * n + 1) - ranked.tie_term / 2) / 24;
  const double z = (static_cast<double>(ranked.doubled_plus) / 2 - mean) / std::sqrt(variance);
  return std::erfc(std::abs(z) / std::numbers::sqrt2);
}

}  // namespace

Wilcoxon wilcoxon(const std::vector<double>& differences) {
  constexpr std::size_t kExact = 50;
  constexpr std::size_t kExactWithTies = 13;
  const std::vector<double> nonzero = rounded_nonzero(differences);
  if (nonzero.empty()) {
    return {};
  }
  const Ranked ranked = rank(nonzero);
  const std::size_t n = differences.size();
  const bool plain = nonzero.size() == n && ranked.tie_term == 0;
  Wilcoxon result;
  result.used = nonzero.size();
  result.exact = n <= kExactWithTies || (plain && n <= kExact);
  result.p = result.exact ? exact_p(ranked) : normal_p(ranked);
  const auto plus = static_cast<double>(ranked.doubled_plus) / 2;
  const auto used = static_cast<double>(result.used);
  result.statistic = std::min(plus, used * (used + 1) / 2 - plus);
  return result;
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, static_cast<double>(p.size() - i) * p[order[i]]);
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

}  // namespace leaf::metrics
