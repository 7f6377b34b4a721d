#include "leaf/pipeline/contour_files.h"

#include "coco.h"
#include "geojson.h"

namespace leaf {

std::string contours_text(const std::string& file_name, const at::Tensor& labels,
                          const data::MaskClasses& classes, ContourFormat format) {
  switch (format) {
    case ContourFormat::kCoco:
      return coco_json(file_name, labels, classes);
    case ContourFormat::kGeoJson:
      return geojson(labels, classes);
    default:
      return "";
  }
}

}  // namespace leaf
