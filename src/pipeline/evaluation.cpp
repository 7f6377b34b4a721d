#include "leaf/pipeline/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "leaf/data/image_io.h"
#include "leaf/pipeline/mask_codec.h"
#include "load_ahead.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

struct Loaded {
  data::Sample sample;
  at::Tensor native_truth;  ///< uint8 [H,W], where it is wanted
};

Loaded load(const data::Dataset& dataset, std::size_t index, bool native) {
  Loaded loaded{dataset.load(index), {}};
  if (native) {
    loaded.native_truth =
        data::load_pair(dataset.pairs()[index], dataset.config().mask_threshold).target;
  }
  return loaded;
}

/// How to score a picture of this size.
metrics::ScoreOptions scoring_of(const EvaluationOptions& options, const data::Sample& sample,
                                 std::int64_t height, std::int64_t width) {
  metrics::ScoreOptions scoring = options.scoring;
  if (options.spacing) {
    const auto ratio = [](std::int64_t a, std::int64_t b) {
      return static_cast<double>(a) / static_cast<double>(b);
    };
    scoring.spacing = {options.spacing->row * ratio(sample.height, height),
                       options.spacing->column * ratio(sample.width, width)};
  }
  return scoring;
}

metrics::ImageScore score_native(const Segmenter& segmenter, const Loaded& loaded,
                                 const at::Tensor& probability, const EvaluationOptions& options) {
  const at::Tensor& truth = loaded.native_truth;
  const Segmentation result = segmenter.finish(probability, truth.size(0), truth.size(1));
  return metrics::score_image(loaded.sample.name, result.mask, truth,
                              scoring_of(options, loaded.sample, truth.size(0), truth.size(1)),
                              result.probability);
}

/// True for `wanted` of `count` indices, evenly spread and the first among them.
bool is_chosen(std::size_t index, std::size_t count, std::size_t wanted) {
  return wanted >= count || (index * wanted) % count < wanted;
}

void write_overlay(const Segmenter& segmenter, const data::Dataset& dataset, std::size_t index,
                   const at::Tensor& probability, const fs::path& folder) {
  const data::Pair& pair = dataset.pairs()[index];
  const data::LoadedPair loaded = data::load_pair(pair, dataset.config().mask_threshold);
  const data::ImageSize size = data::size_of(loaded.image.rgb);
  const at::Tensor mask = segmenter.finish(probability, size.height, size.width).mask;
  data::write_jpeg(folder / (pair.name + ".jpg"),
                   data::overlay(loaded.image.rgb, mask, loaded.target));
}

/// probability [N,1,R,R] of the samples that follow those scored so far.
void score_batch(const Segmenter& segmenter, const data::Dataset& dataset,
                 const EvaluationOptions& options, const std::vector<Loaded>& batch,
                 const at::Tensor& probability, Evaluation& result) {
  const auto overlays = static_cast<std::size_t>(std::max<std::int64_t>(0, options.overlays));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t index = result.scores.size();
    const at::Tensor predicted = probability[static_cast<std::int64_t>(i)][0];
    const data::Sample& sample = batch[i].sample;
    require_finite(predicted, sample.name);
    result.scores.push_back(metrics::score_image(
        sample.name, segmenter.foreground(predicted), sample.mask[0],
        scoring_of(options, sample, predicted.size(0), predicted.size(1)), predicted));
    if (options.scoring.groups.has(metrics::MetricGroup::kProbability)) {
      result.curves.add(predicted, sample.mask[0]);
    }
    if (options.native) {
      result.native.push_back(score_native(segmenter, batch[i], predicted, options));
    }
    if (is_chosen(index, dataset.size(), overlays)) {
      write_overlay(segmenter, dataset, index, predicted, options.overlay_folder);
    }
  }
}

}  // namespace

std::vector<metrics::ImageScore> evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                                          std::int64_t batch_size, const OnProgress& on_progress) {
  EvaluationOptions options;
  options.batch_size = batch_size;
  return evaluate(segmenter, dataset, options, on_progress).scores;
}

Evaluation evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                    const EvaluationOptions& options, const OnProgress& on_progress) {
  const auto batch_size = static_cast<std::size_t>(std::max<std::int64_t>(1, options.batch_size));
  LoadAhead<Loaded> ahead(dataset.size(), batch_size,
                          [&](std::size_t i) { return load(dataset, i, options.native); });
  Evaluation result;
  while (result.scores.size() < dataset.size()) {
    std::vector<Loaded> batch;
    std::vector<at::Tensor> images;
    const std::size_t left = dataset.size() - result.scores.size();
    for (std::size_t i = 0; i < std::min(batch_size, left); ++i) {
      batch.push_back(ahead.next());
      images.push_back(batch.back().sample.image);
    }
    score_batch(segmenter, dataset, options, batch, segmenter.probability(at::stack(images)),
                result);
    if (on_progress) {
      on_progress(result.scores.size());
    }
  }
  return result;
}

}  // namespace leaf
