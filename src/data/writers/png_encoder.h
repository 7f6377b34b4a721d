#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

namespace leaf::data {

/// The bytes of a PNG file of uint8 [H,W] (grey) or [H,W,3] (RGB), or of int32 [H,W] from 0 to
/// 65535 (grey, 16 bits). Throws Error where libpng refuses, as it does pictures of more than 2^31
/// - 1 pixels a side.
std::string encode_png_samples(const at::Tensor& samples);

}  // namespace leaf::data
