#include "coco.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "leaf/data/contours.h"

namespace leaf {
namespace {

using Json = nlohmann::ordered_json;

/// x, y, width and height of the target's bounding box.
Json bounding_box(const at::Tensor& target) {
  const at::Tensor rows = target.any(1).nonzero();
  const at::Tensor columns = target.any(0).nonzero();
  const auto first = [](const at::Tensor& places) { return places[0].item<std::int64_t>(); };
  const auto extent = [&](const at::Tensor& places) {
    return places[-1].item<std::int64_t>() - first(places) + 1;
  };
  return {first(columns), first(rows), extent(columns), extent(rows)};
}

Json annotation(const at::Tensor& mask) {
  return {{"id", 1},
          {"image_id", 1},
          {"category_id", 1},
          {"iscrowd", 0},
          {"area", mask.count_nonzero().item<std::int64_t>()},
          {"bbox", bounding_box(mask.ne(0))},
          {"segmentation", data::outline_polygons(mask)},
          {"rle",
           {{"size", {mask.size(0), mask.size(1)}},
            {"counts", data::compressed_runs(data::run_lengths(mask))}}}};
}

}  // namespace

std::string coco_json(const std::string& file_name, const at::Tensor& mask) {
  const Json image = {
      {"id", 1}, {"file_name", file_name}, {"height", mask.size(0)}, {"width", mask.size(1)}};
  const Json coco = {
      {"images", Json::array({image})},
      {"annotations", mask.any().item<bool>() ? Json::array({annotation(mask)}) : Json::array()},
      {"categories", Json::array({{{"id", 1}, {"name", "foreground"}}})}};
  return coco.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace leaf
