#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

#include "leaf/data/mask_classes.h"

namespace leaf {

/// A COCO data set of one image and, for each class beside the background that the label map has,
/// one annotation: its polygons, and under `rle` the region itself as pycocotools has it. labels:
/// uint8 [H,W].
std::string coco_json(const std::string& file_name, const at::Tensor& labels,
                      const data::MaskClasses& classes);

}  // namespace leaf
