#include "coco.h"

#include <ATen/ATen.h>

#include <cstdint>

#include "core/json.h"
#include "leaf/data/contours.h"
#include "leaf/data/label_maps.h"

namespace leaf {
namespace {

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

Json annotation(const at::Tensor& mask, std::size_t category) {
  return {{"id", category},
          {"image_id", 1},
          {"category_id", category},
          {"iscrowd", 0},
          {"area", mask.count_nonzero().item<std::int64_t>()},
          {"bbox", bounding_box(mask.ne(0))},
          {"segmentation", data::outline_polygons(mask)},
          {"rle",
           {{"size", {mask.size(0), mask.size(1)}},
            {"counts", data::compressed_runs(data::run_lengths(mask))}}}};
}

}  // namespace

std::string coco_json(const std::string& file_name, const at::Tensor& labels,
                      const data::MaskClasses& classes) {
  const Json image = {
      {"id", 1}, {"file_name", file_name}, {"height", labels.size(0)}, {"width", labels.size(1)}};
  Json annotations = Json::array();
  Json categories = Json::array();
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    const at::Tensor region = data::class_region(labels, index, classes).to(at::kByte);
    if (region.any().item<bool>()) {
      annotations.push_back(annotation(region, index));
    }
    categories.push_back({{"id", index}, {"name", classes.list[index].name}});
  }
  const Json coco = {
      {"images", Json::array({image})}, {"annotations", annotations}, {"categories", categories}};
  return json_text(coco) + "\n";
}

}  // namespace leaf
