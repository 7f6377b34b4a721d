#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

namespace leaf {

/// A FeatureCollection (RFC 7946) with a polygon for each part of a mask whose pixels are connected
/// to their four neighbours, holes left out, in pixels from the top left corner. mask: uint8 [H,W],
/// 0 or 255.
std::string geojson(const at::Tensor& mask);

}  // namespace leaf
