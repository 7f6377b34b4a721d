#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <vector>

#include "leaf/data/pair.h"
#include "leaf/train/process_group.h"

namespace leaf {

/// What this process scores of a validation part: whole batches in turn, so that every image is
/// scored among the same others as by one process.
std::vector<data::Pair> share_of(const std::vector<data::Pair>& pairs, std::int64_t batch_size,
                                 const ProcessGroup& group);

/// The rows, double [n, k], that all processes have made of their shares, in the order of the whole
/// part; n differs, k does not.
at::Tensor gathered_rows(const at::Tensor& rows, std::int64_t batch_size, ProcessGroup& group);

}  // namespace leaf
