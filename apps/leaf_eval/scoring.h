#pragma once

#include <optional>

#include "leaf/data/mask_classes.h"
#include "leaf/metrics/breakdown.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf_eval/options.h"

namespace leaf::apps {

/// What the arguments stand for; throws ConfigError for groups, conventions and spacings that are
/// none.
metrics::MetricGroups metric_groups(const ScoringArguments& arguments);
std::optional<metrics::Spacing> spacing_of(const ScoringArguments& arguments);
metrics::ScoreOptions score_options(const ScoringArguments& arguments);

/// Reads the tables that it names.
metrics::BreakdownOptions breakdown_options(const ScoringArguments& arguments);

/// Adds {"classes", "background=0, disc=128, cup=255 as channels"} where they have values.
void add_classes(EvaluationFacts& facts, const data::MaskClasses& classes);

/// How was scored, for summary.json.
EvaluationFacts scoring_facts(const ScoringArguments& arguments);

}  // namespace leaf::apps
