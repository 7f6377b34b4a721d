#include "model_validation.h"

#include <string>
#include <vector>

#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "score_rows.h"
#include "validation_scores.h"

namespace leaf {
namespace {

/// The names of the classes beside the background, where there are several.
std::vector<std::string> scored_classes(const data::MaskClasses& classes) {
  std::vector<std::string> names = data::class_names(classes);
  names.erase(names.begin(), classes.several() ? names.begin() + 1 : names.end());
  return names;
}

void add_class_scores(const std::vector<metrics::ImageScore>& all,
                      const std::vector<std::string>& names, Scores& scores) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const metrics::Summary summary = metrics::summarise(metrics::scores_of_class(all, i));
    for (const metrics::Metric& metric : metrics::all_metrics()) {
      if (metric.headline) {
        scores[str(metric.key, "_", names[i])] = summary.of(metric.key).mean;
      }
    }
  }
}

}  // namespace

Scores validate_model(const Segmenter& segmenter, const Config& config, const data::Dataset& share,
                      const ValidationOptions& options, const OnLabels& on_labels) {
  EvaluationOptions wanted;
  wanted.batch_size = config.validation.batch_size;
  wanted.overlays = options.overlays;
  wanted.overlay_folder = options.overlay_folder;
  wanted.lossless_overlays = config.validation.overlay_format == OverlayFormat::kPng;
  wanted.scoring.groups = groups_to_score(config.validation);
  wanted.on_labels = on_labels;
  const std::vector<metrics::ImageScore> own = evaluate(segmenter, share, wanted).scores;
  const std::vector<std::string> classes = scored_classes(config.data.classes);
  const std::vector<metrics::ImageScore> all =
      from_rows(options.gather(to_rows(own, classes.size())));
  Scores scores = validation_scores(all, config.validation);
  add_class_scores(all, classes, scores);
  return scores;
}

}  // namespace leaf
