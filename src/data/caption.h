#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <string>

namespace leaf::data {

/// A line of black text in the middle of a white picture, uint8 [height,width,3]. Text that is too
/// long is cut; characters beyond ASCII are question marks.
at::Tensor caption(const std::string& text, std::int64_t height, std::int64_t width);

}  // namespace leaf::data
