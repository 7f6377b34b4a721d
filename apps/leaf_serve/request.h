#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/data/data_config.h"

namespace leaf::apps {

/// A request that is refused, and the status of the answer.
class RequestError : public Error {
 public:
  RequestError(int status, const std::string& message) : Error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

/// What an answer holds. kMask: the file that leaf_infer writes; kProbability: a PNG of 255 times
/// the probability; kContours and kCoco: its contours in either format; kLabels: a PNG of the
/// mask's connected parts; kJson: mask and probability in base64, areas and classes.
enum class Output { kMask, kProbability, kContours, kCoco, kLabels, kJson };
inline EnumNames<Output> enum_names(Output /*tag*/) {
  return {{Output::kMask, "mask"},         {Output::kProbability, "probability"},
          {Output::kContours, "contours"}, {Output::kCoco, "coco"},
          {Output::kLabels, "labels"},     {Output::kJson, "json"}};
}

/// What the query of POST /segment says.
struct SegmentQuery {
  Output output = Output::kMask;
  std::optional<double> threshold;  ///< 0 to 1, in place of the model's
  std::optional<std::string> name;  ///< of the image's file
  /// kStored: the answer fits the pixels as the file stores them; kDisplayed: as a viewer shows
  /// them. Never kAuto.
  data::MaskOrientation orientation = data::MaskOrientation::kStored;
};

/// Reads the query's decoded parameters. Throws RequestError (400) for one that is not known, twice
/// there, or has another value than it may.
SegmentQuery parse_query(const std::multimap<std::string, std::string>& parameters);

/// The image of a body.
struct Upload {
  std::string_view bytes;
  std::string file_name;  ///< empty where the body does not say
};

/// Whether a body of that type may hold an image: image/*, application/octet-stream,
/// multipart/form-data, or no type.
bool is_image_type(std::string_view content_type);

/// The body itself, or of multipart/form-data the part "image". Throws RequestError (400) for a
/// body that is empty, of no such form, or has no such part.
Upload find_upload(std::string_view body, std::string_view content_type);

/// The name that an image's starting noise follows from: a file's name without the extension of an
/// image.
std::string noise_name(const std::string& file_name);

}  // namespace leaf::apps
