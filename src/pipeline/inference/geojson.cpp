#include "geojson.h"

#include <nlohmann/json.hpp>

#include "leaf/data/contours.h"

namespace leaf {
namespace {

using Json = nlohmann::ordered_json;

/// The properties are those by which QuPath makes an annotation.
Json feature(const data::Region& region) {
  Json rings = Json::array({region.exterior});
  for (const data::Ring& hole : region.holes) {
    rings.push_back(hole);
  }
  return {{"type", "Feature"},
          {"geometry", {{"type", "Polygon"}, {"coordinates", rings}}},
          {"properties",
           {{"objectType", "annotation"},
            {"classification", {{"name", "foreground"}}},
            {"pixels", region.pixels}}}};
}

}  // namespace

std::string geojson(const at::Tensor& mask) {
  Json features = Json::array();
  for (const data::Region& region : data::trace_regions(mask)) {
    features.push_back(feature(region));
  }
  return Json({{"type", "FeatureCollection"}, {"features", features}}).dump() + "\n";
}

}  // namespace leaf
