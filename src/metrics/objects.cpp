#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "core/calm_opencv.h"
#include "leaf/metrics/scores.h"
#include "pixels.h"

namespace leaf::metrics {
namespace {

struct Coverage {
  std::size_t covered = 0;
  std::size_t missed = 0;
};

/// How many objects of `mask` the other mask covers.
Coverage coverage(Pixels& mask, const Pixels& other, double overlap) {
  calm_opencv();
  const cv::Mat picture(static_cast<int>(mask.height), static_cast<int>(mask.width), CV_8U,
                        mask.values.data());
  cv::Mat labels;
  constexpr int kWithDiagonals = 8;
  const int count = cv::connectedComponents(picture, labels, kWithDiagonals, CV_32S);
  std::vector<std::size_t> sizes(static_cast<std::size_t>(count));
  std::vector<std::size_t> shared(sizes.size());
  for (std::size_t i = 0; i < mask.values.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels.ptr<int>()[i]);
    ++sizes[label];
    shared[label] += other.values[i];
  }
  constexpr double kRounding = 1 - 1e-12;  // 0.55 * 100 is a little above 55
  Coverage result;
  for (std::size_t label = 1; label < sizes.size(); ++label) {  // 0 is the background
    const bool covered =
        shared[label] > 0 && static_cast<double>(shared[label]) >=
                                 overlap * kRounding * static_cast<double>(sizes[label]);
    ++(covered ? result.covered : result.missed);
  }
  return result;
}

}  // namespace

ObjectScores object_scores(const at::Tensor& prediction, const at::Tensor& truth, double overlap) {
  Pixels predicted = to_pixels(prediction);
  Pixels target = to_pixels(truth);
  const Coverage of_truth = coverage(target, predicted, overlap);
  const Coverage of_prediction = coverage(predicted, target, overlap);
  return {static_cast<double>(of_truth.covered), static_cast<double>(of_truth.missed),
          static_cast<double>(of_prediction.missed)};
}

}  // namespace leaf::metrics
