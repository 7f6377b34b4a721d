#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/metrics/conventions.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Of one metric over the images that have a score; kUndefined where none has.
struct Statistics {
  double mean = 0;
  double median = 0;
  double std = 0;  ///< n - 1; 0 for one image
  double q1 = 0;   ///< quartiles, interpolated linearly
  double q3 = 0;
  std::int64_t undefined = 0;  ///< images without a score, which count in none of the above
  /// 95 % confidence interval of the mean: percentiles of the means of 1000 seeded resamples.
  /// Empty for a single image or group, and where it was not asked for.
  std::optional<Interval> interval;
};

/// Of the values that are defined; without interval.
Statistics statistics(const std::vector<double>& values);

struct Summary {
  std::int64_t count = 0;
  std::int64_t both_empty = 0;
  std::int64_t one_sided_empty = 0;
  MetricGroups groups;  ///< those that were scored
  /// Statistics of each metric, in the order of the table.
  std::vector<Statistics> values;
  /// Images whose truth holds a target, and each metric's mean over them.
  std::int64_t with_target = 0;
  std::vector<double> means_with_target;
  const Convention* convention = nullptr;

  const Statistics& of(std::string_view key) const { return values.at(metric_index(key)); }
  double with_target_mean(std::string_view key) const {
    return means_with_target.at(metric_index(key));
  }
};

struct SummaryOptions {
  std::uint64_t seed = 1337;
  /// Intervals of all metrics, not of the first alone.
  bool all_intervals = false;
  /// Each image's group (a patient, a video), in the order of the scores: the bootstrap then draws
  /// groups, since images of one group resemble each other. Empty: it draws images.
  std::vector<std::string> groups;
  /// The convention that the scores follow (apply_convention).
  const Convention* convention = nullptr;  ///< null: ours
};

/// Throws DataError when there are no scores.
Summary summarise(const std::vector<ImageScore>& scores, const SummaryOptions& options = {});

/// A JSON object with everything in `summary` (null for an empty interval and for what is
/// undefined) and the convention for empty images.
std::string summary_json(const Summary& summary);

/// One row per image: its name, dice to specificity, tp,fp,fn,tn,both_empty,one_sided_empty, then
/// the other metrics that were scored and, of several classes, each one's metrics (dice_disc).
/// Undefined scores are empty cells. Atomic.
void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores);

/// Whether a metric belongs into files and tables about these groups.
inline bool is_shown(const Metric& metric, const MetricGroups& groups) {
  return groups.has(metric.group);
}

}  // namespace leaf::metrics
