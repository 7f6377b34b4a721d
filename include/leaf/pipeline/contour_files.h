#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

#include "leaf/core/enum_names.h"
#include "leaf/data/mask_classes.h"

namespace leaf {

/// kCoco: NAME.json, COCO's polygons and run lengths. kGeoJson: NAME.geojson, polygons with holes
/// (docs/inference.md).
enum class ContourFormat { kNone, kCoco, kGeoJson };
inline EnumNames<ContourFormat> enum_names(ContourFormat /*tag*/) {
  return {{ContourFormat::kNone, "none"},
          {ContourFormat::kCoco, "coco"},
          {ContourFormat::kGeoJson, "geojson"}};
}

/// The text of such a file, of the classes beside the background: of labels uint8 [H,W], of an
/// image whose file is called `file_name` (which COCO states). Empty for kNone.
std::string contours_text(const std::string& file_name, const at::Tensor& labels,
                          const data::MaskClasses& classes, ContourFormat format);

}  // namespace leaf
