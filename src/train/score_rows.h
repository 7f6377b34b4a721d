#pragma once

#include <ATen/core/TensorBody.h>

#include <vector>

#include "leaf/metrics/segmentation.h"

namespace leaf {

/// Scores as rows of numbers, double [n, k], without the images' names, and back.
at::Tensor to_rows(const std::vector<metrics::ImageScore>& scores);
std::vector<metrics::ImageScore> from_rows(const at::Tensor& rows);

}  // namespace leaf
