#include <utility>
#include <vector>

#include "leaf/metrics/segmentation.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

Confusion operator+(const Confusion& a, const Confusion& b) {
  return {.tp = a.tp + b.tp, .fp = a.fp + b.fp, .fn = a.fn + b.fn, .tn = a.tn + b.tn};
}

}  // namespace

ImageScore mean_over_classes(const std::string& name, std::vector<ImageScore> classes) {
  ImageScore mean{name, {}, {}, classes.front().groups};
  for (const ImageScore& score : classes) {
    mean.c = mean.c + score.c;
  }
  for (std::size_t metric = 0; metric < all_metrics().size(); ++metric) {
    mean.values.push_back(mean_of_defined(values_of(classes, metric)));
  }
  mean.classes = std::move(classes);
  return mean;
}

std::vector<ImageScore> scores_of_class(const std::vector<ImageScore>& scores, std::size_t index) {
  std::vector<ImageScore> of_class;
  for (const ImageScore& image : scores) {
    of_class.push_back(image.classes.at(index));
    of_class.back().name = image.name;
  }
  return of_class;
}

}  // namespace leaf::metrics
