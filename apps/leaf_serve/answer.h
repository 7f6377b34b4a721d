#pragma once

#include <string>

#include "leaf/data/mask_classes.h"
#include "leaf/pipeline/segment_queue.h"
#include "leaf_serve/request.h"

namespace leaf::apps {

inline constexpr const char* kJsonType = "application/json";

struct Answer {
  std::string body;
  const char* type = "";  ///< its media type
};

/// What is to be known of a model to answer.
struct AnswerModel {
  data::MaskClasses classes;
  double threshold = 0.5;
};

/// Throws RequestError (400) for a threshold where the model has several classes.
void check_query(const SegmentQuery& query, const AnswerModel& model);

/// Makes of a segmented image what the query asks for; `file_name` is what COCO calls the image.
/// The bytes are those of leaf_infer's files.
Answer make_answer(const SegmentedImage& image, const SegmentQuery& query, const AnswerModel& model,
                   const std::string& file_name);

}  // namespace leaf::apps
