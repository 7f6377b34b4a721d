#pragma once

#include "leaf/config/config.h"
#include "leaf/data/dataset.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf/train/trainer.h"
#include "train/task.h"

namespace leaf {

/// Scores what `segmenter` makes of a data set, or this process's share of it, as the section
/// `validation` asks; of several classes also dice_NAME and iou_NAME of each. `on_labels` is
/// EvaluationOptions'.
Scores validate_model(const Segmenter& segmenter, const Config& config, const data::Dataset& share,
                      const ValidationOptions& options, const OnLabels& on_labels = {});

}  // namespace leaf
