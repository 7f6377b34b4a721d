#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "leaf/metrics/conventions.h"
#include "leaf/metrics/strata.h"
#include "leaf/metrics/summary.h"

namespace leaf::metrics {

/// What shall be said of scores.
struct BreakdownOptions {
  std::uint64_t seed = 1337;               ///< of the bootstrap
  const Convention* convention = nullptr;  ///< that the scores follow; null: ours
  std::optional<ImageColumn> groups;       ///< that the bootstrap draws
  bool conventions = false;                ///< also Dice and IoU under every convention
  std::string by_size;                     ///< bins as by_size() has them; empty: none
  std::vector<ImageColumn> by;             ///< columns that describe the images
};

/// A class's summary.
struct ClassSummary {
  std::string name;
  Summary summary;
};

/// All that is said of scores: of all images, of each of several classes, of parts of the images,
/// and under other conventions.
struct Breakdown {
  Summary summary;
  std::vector<ClassSummary> classes;  ///< beside the background, of several
  std::vector<StratumSummary> strata;
  std::vector<ConventionScores> conventions;
};

Breakdown break_down(const std::vector<ImageScore>& scores, const BreakdownOptions& options);

/// summary_json() with "classes", "strata" and "conventions" where there are any.
std::string breakdown_json(const Breakdown& breakdown);

}  // namespace leaf::metrics
