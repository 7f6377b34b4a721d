#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

#include "leaf/data/mask_classes.h"

namespace leaf {

/// A FeatureCollection (RFC 7946) with a polygon for each part of a class beside the background
/// whose pixels are connected to their four neighbours, holes left out, in pixels from the top left
/// corner. labels: uint8 [H,W].
std::string geojson(const at::Tensor& labels, const data::MaskClasses& classes);

}  // namespace leaf
