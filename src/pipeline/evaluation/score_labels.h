#pragma once

#include <ATen/core/TensorBody.h>

#include <optional>
#include <string>

#include "leaf/data/mask_classes.h"
#include "leaf/metrics/segmentation.h"

namespace leaf {

/// Scores a label map [H, W] against the true one: of several classes each by itself, and their
/// mean. `probability`, float32 [C, H, W] of the classes beside the background, and `ignored` are
/// those of metrics::score_image().
metrics::ImageScore score_labels(const std::string& name, const at::Tensor& prediction,
                                 const at::Tensor& truth, const data::MaskClasses& classes,
                                 const metrics::ScoreOptions& options = {},
                                 const std::optional<at::Tensor>& probability = std::nullopt,
                                 const at::Tensor& ignored = {});

}  // namespace leaf
