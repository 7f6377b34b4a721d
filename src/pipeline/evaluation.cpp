#include "leaf/pipeline/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace leaf {

std::vector<metrics::ImageScore> evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                                          std::int64_t batch_size,
                                          const std::function<void(std::size_t)>& on_progress) {
  std::vector<metrics::ImageScore> scores;
  while (scores.size() < dataset.size()) {
    const std::size_t end =
        std::min(dataset.size(), scores.size() + static_cast<std::size_t>(batch_size));
    std::vector<data::Sample> samples;
    std::vector<at::Tensor> images;
    for (std::size_t i = scores.size(); i < end; ++i) {
      images.push_back(samples.emplace_back(dataset.load(i)).image);
    }
    const at::Tensor predicted = segmenter.foreground(segmenter.probability(at::stack(images)));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto c = metrics::confusion(predicted[static_cast<std::int64_t>(i)],
                                        samples[i].mask.to(at::kBool));
      scores.push_back(metrics::score_image(samples[i].name, c));
    }
    if (on_progress) {
      on_progress(scores.size());
    }
  }
  return scores;
}

}  // namespace leaf
