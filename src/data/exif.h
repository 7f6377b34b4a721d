#pragma once

#include <ATen/core/TensorBody.h>

#include <string_view>

namespace leaf::data {

/// True for what JPEG and some WebP files put before EXIF data.
bool is_exif_block(std::string_view bytes);

/// The orientation (1 to 8) that EXIF data state, with or without "Exif" before them; 1, "as
/// stored", where they state none or are damaged.
int exif_orientation(std::string_view exif);

/// Turns stored pixels, [H,W] or [H,W,C] of any type, into what a viewer shows: for orientations 5
/// to 8 height and width change places.
at::Tensor apply_orientation(const at::Tensor& stored, int orientation);

}  // namespace leaf::data
