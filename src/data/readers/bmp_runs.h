#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <string_view>

namespace leaf::data {

/// Run-length coded indices of 4 or 8 bits -> kByte [H,W,1]; pixels that are passed over become 0.
/// Throws DataError where the data end early.
void unpack_runs(std::string_view bytes, std::int64_t bits, at::Tensor& indices);

}  // namespace leaf::data
