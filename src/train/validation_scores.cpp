#include "validation_scores.h"

#include <cmath>

#include "leaf/metrics/summary.h"

namespace leaf {
namespace {

using metrics::Metric;

const Metric& deciding_metric(const ValidationSection& section) {
  return metrics::all_metrics()[metrics::metric_index(section.best_metric)];
}

double deciding_score(const std::vector<metrics::ImageScore>& images,
                      const ValidationSection& section) {
  std::vector<double> values;
  for (const metrics::ImageScore& image : images) {
    if (section.best_images == BestImages::kAll || image.c.tp + image.c.fn > 0) {
      values.push_back(image.value(section.best_metric));
    }
  }
  return metrics::statistics(values).mean;
}

}  // namespace

metrics::MetricGroups groups_to_score(const ValidationSection& section) {
  return {deciding_metric(section).group};
}

Scores validation_scores(const std::vector<metrics::ImageScore>& images,
                         const ValidationSection& section) {
  const metrics::Summary summary = metrics::summarise(images);
  Scores scores{
      {kScore, deciding_score(images, section)},
      {"dice_with_target", summary.with_target > 0 ? summary.with_target_mean("dice") : 0},
      {"both_empty", static_cast<double>(summary.both_empty)},
      {"images", static_cast<double>(summary.count)}};
  for (const Metric& metric : metrics::all_metrics()) {
    if (metric.headline || metric.key == section.best_metric) {
      scores[metric.key] = summary.of(metric.key).mean;
    }
  }
  return scores;
}

bool is_better(double score, double best, const ValidationSection& section) {
  if (!metrics::is_defined(score) || !metrics::is_defined(best)) {
    return metrics::is_defined(score);
  }
  switch (deciding_metric(section).best) {
    case metrics::Best::kHighest:
      return score > best;
    case metrics::Best::kLowest:
      return score < best;
    case metrics::Best::kNearestToZero:
      break;
  }
  return std::abs(score) < std::abs(best);
}

}  // namespace leaf
