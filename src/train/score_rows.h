#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <vector>

#include "leaf/metrics/segmentation.h"

namespace leaf {

/// Scores as rows of numbers, double [n, k], without names, and back. `classes`: how many scores of
/// classes each of them has.
at::Tensor to_rows(const std::vector<metrics::ImageScore>& scores, std::size_t classes = 0);
std::vector<metrics::ImageScore> from_rows(const at::Tensor& rows);

}  // namespace leaf
