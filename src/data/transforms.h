#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

namespace leaf::data {

/// uint8 [H,W,3] -> uint8 [size,size,3], antialiased bilinear as Pillow's, at most one grey level
/// off.
at::Tensor resize_image(const at::Tensor& rgb, std::int64_t size);

/// uint8 [H,W] -> uint8 [size,size]: the value under each new pixel's centre ("nearest-exact").
at::Tensor resize_mask_nearest(const at::Tensor& mask, std::int64_t size);

/// uint8 [...,H,W,3] in 0..255 -> float [...,3,H,W] in [0,1].
at::Tensor to_tensor(const at::Tensor& rgb);

/// float [...,h,w] -> float [...,height,width], bilinear (antialiased where it shrinks); the range
/// is kept.
at::Tensor resize_probability(const at::Tensor& probability, std::int64_t height,
                              std::int64_t width);

/// Mirrors uint8 pixels [H,W] or [H,W,C]: left and right, top and bottom. Runs on the calling
/// thread alone, as do the two functions for bytes above: they are what loader threads spend their
/// time in.
at::Tensor flip(const at::Tensor& pixels, bool horizontal, bool vertical);

}  // namespace leaf::data
