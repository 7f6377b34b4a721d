#include "pipeline/evaluation/score_labels.h"

#include <ATen/ATen.h>

#include <vector>

#include "leaf/data/label_maps.h"

namespace leaf {

metrics::ImageScore score_labels(const std::string& name, const at::Tensor& prediction,
                                 const at::Tensor& truth, const data::MaskClasses& classes,
                                 const metrics::ScoreOptions& options,
                                 const std::optional<at::Tensor>& probability,
                                 const at::Tensor& ignored) {
  const auto score = [&](const std::string& title, const at::Tensor& found, const at::Tensor& real,
                         std::int64_t channel) {
    return metrics::score_image(title, found, real, options,
                                probability ? std::optional((*probability)[channel]) : std::nullopt,
                                ignored);
  };
  if (!classes.several()) {
    return score(name, prediction, truth, 0);
  }
  std::vector<metrics::ImageScore> scores;
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    scores.push_back(score(classes.list[index].name, data::class_region(prediction, index, classes),
                           data::class_region(truth, index, classes),
                           static_cast<std::int64_t>(index) - 1));
  }
  return metrics::mean_over_classes(name, std::move(scores));
}

}  // namespace leaf
