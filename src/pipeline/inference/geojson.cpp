#include "geojson.h"

#include <ATen/ATen.h>

#include "core/json.h"
#include "leaf/data/contours.h"
#include "leaf/data/label_maps.h"

namespace leaf {
namespace {

/// The properties are those by which QuPath makes an annotation.
Json feature(const data::Region& region, const std::string& name) {
  Json rings = Json::array({region.exterior});
  for (const data::Ring& hole : region.holes) {
    rings.push_back(hole);
  }
  return {{"type", "Feature"},
          {"geometry", {{"type", "Polygon"}, {"coordinates", rings}}},
          {"properties",
           {{"objectType", "annotation"},
            {"classification", {{"name", name}}},
            {"pixels", region.pixels}}}};
}

}  // namespace

std::string geojson(const at::Tensor& labels, const data::MaskClasses& classes) {
  Json features = Json::array();
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    const at::Tensor part = data::class_region(labels, index, classes).to(at::kByte);
    for (const data::Region& region : data::trace_regions(part)) {
      features.push_back(feature(region, classes.list[index].name));
    }
  }
  return json_text(Json{{"type", "FeatureCollection"}, {"features", features}}) + "\n";
}

}  // namespace leaf
