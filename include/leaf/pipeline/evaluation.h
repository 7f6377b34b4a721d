#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "leaf/data/dataset.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// Scores every sample of a data set at the model's resolution, in its order. `on_progress` gets the
/// number of images done.
std::vector<metrics::ImageScore> evaluate(
    const Segmenter& segmenter, const data::Dataset& dataset, std::int64_t batch_size,
    const std::function<void(std::size_t done)>& on_progress = {});

}  // namespace leaf
