#pragma once

#include <vector>

#include "leaf/config/config.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/train/trainer.h"

namespace leaf {

/// What must be scored for the metric that decides.
metrics::MetricGroups groups_to_score(const ValidationSection& section);

/// The scores of a validation: the means of the table's headlines, and the one that decides
/// (kScore; NaN where it has no value).
Scores validation_scores(const std::vector<metrics::ImageScore>& images,
                         const ValidationSection& section);

/// Whether a step with this score takes the place of the best one so far. An undefined score never
/// does, an equal one neither: the earliest stays.
bool is_better(double score, double best, const ValidationSection& section);

}  // namespace leaf
