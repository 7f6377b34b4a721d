#include "leaf/pipeline/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "leaf/data/image_io.h"
#include "leaf/pipeline/mask_codec.h"
#include "load_ahead.h"

namespace leaf {
namespace {

/// A sample and, where they are wanted, its pixels at their own size.
struct Loaded {
  data::Sample sample;
  at::Tensor rgb;      ///< uint8 [H,W,3], for an overlay
  at::Tensor truth;    ///< uint8 [H,W]
  at::Tensor ignored;  ///< uint8 [H,W]; undefined where nothing is ignored
};

/// True for `wanted` of `count` indices, evenly spread and the first among them.
bool is_chosen(std::size_t index, std::size_t count, std::int64_t wanted) {
  const auto some = static_cast<std::size_t>(std::max<std::int64_t>(0, wanted));
  return some >= count || (index * some) % count < some;
}

Loaded load(const data::Dataset& dataset, std::size_t index, const EvaluationOptions& options) {
  const bool overlay = is_chosen(index, dataset.size(), options.overlays);
  if (!options.native && !overlay) {
    return {dataset.load(index), {}, {}, {}};
  }
  data::FullSample full = dataset.load_full(index);
  return {std::move(full.sample), overlay ? full.pair.image.rgb : at::Tensor(), full.pair.target,
          full.pair.ignored};
}

/// The mask at the size of the image.
at::Tensor native_mask(const Segmenter& segmenter, const Loaded& loaded,
                       const at::Tensor& probability) {
  return segmenter.finish(probability, loaded.truth.size(0), loaded.truth.size(1)).mask;
}

/// probability [N,1,R,R] of a batch, which follows those scored so far.
void score_batch(const Segmenter& segmenter, const EvaluationOptions& options,
                 const std::vector<Loaded>& batch, const at::Tensor& probability,
                 Evaluation& result) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const at::Tensor predicted = probability[static_cast<std::int64_t>(i)][0];
    const Loaded& loaded = batch[i];
    const data::Sample& sample = loaded.sample;
    require_finite(predicted, sample.name);
    result.scores.push_back(metrics::score_image(sample.name, segmenter.foreground(predicted),
                                                 sample.mask[0], {}, sample.ignored));
    if (!loaded.truth.defined()) {
      continue;
    }
    const at::Tensor mask = native_mask(segmenter, loaded, predicted);
    if (options.native) {
      result.native.push_back(
          metrics::score_image(sample.name, mask, loaded.truth, {}, loaded.ignored));
    }
    if (loaded.rgb.defined()) {
      data::write_jpeg(options.overlay_folder / (sample.name + ".jpg"),
                       data::overlay(loaded.rgb, mask, loaded.truth));
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
                          [&](std::size_t i) { return load(dataset, i, options); });
  Evaluation result;
  while (result.scores.size() < dataset.size()) {
    std::vector<Loaded> batch;
    std::vector<at::Tensor> images;
    const std::size_t left = dataset.size() - result.scores.size();
    for (std::size_t i = 0; i < std::min(batch_size, left); ++i) {
      batch.push_back(ahead.next());
      images.push_back(batch.back().sample.image);
    }
    score_batch(segmenter, options, batch, segmenter.probability(at::stack(images)), result);
    if (on_progress) {
      on_progress(result.scores.size());
    }
  }
  return result;
}

}  // namespace leaf
