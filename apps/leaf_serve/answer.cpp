#include "leaf_serve/answer.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "leaf/core/base64.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "leaf/data/maps.h"
#include "leaf/data/postprocess.h"
#include "leaf/pipeline/contour_files.h"

namespace leaf::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kPng = "image/png";

std::string encode_probability(const at::Tensor& probability) {
  return data::find_map_writer("8", "probability")->encode(probability);
}

/// "#ff8000"
std::string colour_text(const data::ClassColour& colour) {
  std::ostringstream text;
  text << '#' << std::hex << std::setfill('0');
  for (const int channel : colour) {
    text << std::setw(2) << channel;
  }
  return text.str();
}

/// The classes beside the background, with their areas in pixels.
Json classes_json(const at::Tensor& mask, const data::MaskClasses& classes) {
  Json list = Json::array();
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    list.push_back({{"label", index},
                    {"name", classes.list[index].name},
                    {"colour", colour_text(data::class_colour(index))},
                    {"area", data::class_region(mask, index, classes).sum().item<std::int64_t>()}});
  }
  return list;
}

/// The label map that the page colours by; without several classes the mask tells as much.
std::string encode_labels_by_class(const at::Tensor& mask, const data::MaskClasses& classes) {
  return data::encode_png(classes.several() ? mask : mask.ne(0).to(at::kByte));
}

std::string everything(const Segmentation& result, const SegmentQuery& query,
                       const AnswerModel& model) {
  Json json = {{"height", result.mask.size(0)},
               {"width", result.mask.size(1)},
               {"orientation", enum_text(query.orientation)},
               {"area", result.mask.count_nonzero().item<std::int64_t>()},
               {"classes", classes_json(result.mask, model.classes)},
               {"mask", base64(data::encode_label_map(result.mask, model.classes))},
               {"probability", base64(encode_probability(result.probability))},
               {"label_map", base64(encode_labels_by_class(result.mask, model.classes))}};
  if (!model.classes.several()) {
    json["threshold"] = query.threshold.value_or(model.threshold);
  }
  return json.dump() + "\n";
}

Segmentation as_asked(const SegmentedImage& image, const SegmentQuery& query) {
  Segmentation result = query.orientation == data::MaskOrientation::kDisplayed
                            ? image.displayed
                            : as_stored(image.displayed, image.orientation);
  if (query.threshold) {
    result.mask = (result.probability > *query.threshold).to(at::kByte).mul_(255);
  }
  return result;
}

}  // namespace

void check_query(const SegmentQuery& query, const AnswerModel& model) {
  if (query.threshold && model.classes.several()) {
    throw RequestError(400, str("threshold: the model has ", model.classes.list.size(),
                                " classes; a threshold divides two"));
  }
}

Answer make_answer(const SegmentedImage& image, const SegmentQuery& query, const AnswerModel& model,
                   const std::string& file_name) {
  const Segmentation result = as_asked(image, query);
  const auto contours = [&](ContourFormat format) {
    return contours_text(file_name, result.mask, model.classes, format);
  };
  switch (query.output) {
    case Output::kProbability:
      return {encode_probability(result.probability), kPng};
    case Output::kContours:
      return {contours(ContourFormat::kGeoJson), "application/geo+json"};
    case Output::kCoco:
      return {contours(ContourFormat::kCoco), kJsonType};
    case Output::kLabels:
      return {data::encode_labels(data::numbered_parts(result.mask)), kPng};
    case Output::kJson:
      return {everything(result, query, model), kJsonType};
    default:
      return {data::encode_label_map(result.mask, model.classes), kPng};
  }
}

}  // namespace leaf::apps
