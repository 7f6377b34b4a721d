#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

namespace leaf {

/// A COCO data set of one image and, where the mask is not empty, one annotation: its polygons, and
/// under `rle` the mask itself as pycocotools has it. mask: uint8 [H,W], 0 or 255.
std::string coco_json(const std::string& file_name, const at::Tensor& mask);

}  // namespace leaf
