#include "leaf/metrics/summary.h"

#include <algorithm>
#include <cmath>

#include "bootstrap.h"
#include "leaf/core/error.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

using Values = std::vector<double>;

double median(const Values& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double deviation(const Values& values, double mean) {
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return values.size() > 1 ? std::sqrt(squares / static_cast<double>(values.size() - 1)) : 0;
}

void add_statistics(Summary& summary, const std::vector<ImageScore>& scores,
                    const SummaryOptions& options) {
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    const Values values = values_of(scores, i);
    summary.values.push_back(statistics(values));
    const bool shown = is_shown(all_metrics()[i], summary.groups);
    if (shown && (i == 0 || options.all_intervals)) {
      summary.values.back().interval = bootstrap_interval(values, options.groups, options.seed, i);
    }
  }
}

/// The means of a convention that are not means over images, of which there is no interval.
void average_as(const Convention& convention, const std::vector<ImageScore>& scores,
                Summary& summary) {
  const auto set_mean = [&](std::size_t metric, double mean) {
    summary.values[metric].mean = mean;
    summary.values[metric].interval.reset();
  };
  if (convention.iou_batch > 0) {
    const std::size_t iou = metric_index("iou");
    set_mean(iou, mean_iou(convention, values_of(scores, iou)));
  }
  if (averages_classes_last(convention, scores)) {
    for (const std::size_t metric : {metric_index("dice"), metric_index("iou")}) {
      set_mean(metric, mean_of_classes(scores, metric));
    }
  }
}

}  // namespace

Statistics statistics(const Values& all) {
  Values values = defined(all);
  Statistics result;
  result.undefined = static_cast<std::int64_t>(all.size() - values.size());
  if (values.empty()) {
    result.mean = result.median = result.std = result.q1 = result.q3 = kUndefined;
    return result;
  }
  result.mean = mean(values);
  result.std = deviation(values, result.mean);
  std::sort(values.begin(), values.end());
  result.median = median(values);
  result.q1 = sorted_percentile(values, 0.25);
  result.q3 = sorted_percentile(values, 0.75);
  return result;
}

Summary summarise(const std::vector<ImageScore>& scores, const SummaryOptions& options) {
  if (scores.empty()) {
    throw DataError("there are no images to score; check DataConfig::split or the folders");
  }
  std::vector<ImageScore> with_target;
  Summary summary;
  summary.groups = scores.front().groups;
  summary.convention =
      options.convention != nullptr ? options.convention : &all_conventions().front();
  for (const ImageScore& score : scores) {
    summary.both_empty += score.c.both_empty() ? 1 : 0;
    summary.one_sided_empty += score.c.one_sided_empty() ? 1 : 0;
    if (score.c.tp + score.c.fn > 0) {
      with_target.push_back(score);
    }
  }
  summary.count = static_cast<std::int64_t>(scores.size());
  summary.with_target = static_cast<std::int64_t>(with_target.size());
  add_statistics(summary, scores, options);
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    const Values values = defined(values_of(with_target, i));
    summary.means_with_target.push_back(values.empty() ? kUndefined : mean(values));
  }
  average_as(*summary.convention, scores, summary);
  return summary;
}

}  // namespace leaf::metrics
