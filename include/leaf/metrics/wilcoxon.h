#pragma once

#include <cstddef>
#include <vector>

namespace leaf::metrics {

/// A two-sided test of whether paired differences lie around zero.
struct Wilcoxon {
  double statistic = 0;  ///< the smaller of both sums of ranks
  double p = 1;
  std::size_t used = 0;  ///< differences that are not zero
  bool exact = true;     ///< by counting; else by the normal approximation
};

/// Wilcoxon's signed-rank test as scipy.stats.wilcoxon has it by default: differences of zero are
/// left out, equal ones share their ranks. Exact for up to 50 differences that all differ and are
/// not zero, and for up to 13 of any kind; else normal, corrected for ties, not for continuity.
/// Differences are rounded to 1e-9 first, so that equal scores tie in spite of floating point. p is
/// 1 where there is no difference.
Wilcoxon wilcoxon(const std::vector<double>& differences);

/// Holm's step-down correction: each p adjusted for all of them, in the same order.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace leaf::metrics
