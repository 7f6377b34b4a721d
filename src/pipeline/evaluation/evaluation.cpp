#include "leaf/pipeline/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/prefetcher.h"
#include "leaf/data/image_io.h"
#include "pipeline/mask_codec.h"

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

/// The score of a probability [R,R] at the data set's resolution.
metrics::ImageScore score(const Segmenter& segmenter, const data::Sample& sample,
                          const at::Tensor& probability) {
  return metrics::score_image(sample.name, segmenter.foreground(probability), sample.mask[0], {},
                              sample.ignored);
}

/// Adds the scores of every noise sample, probability [R,R] each, of one image.
void add_seeds(const Segmenter& segmenter, const data::Sample& sample,
               const std::vector<at::Tensor>& predicted, Evaluation& result) {
  result.seed_means.resize(predicted.size(),
                           std::vector<double>(metrics::all_metrics().size(), 0.0));
  for (std::size_t seed = 0; seed < predicted.size(); ++seed) {
    const metrics::ImageScore scored = score(segmenter, sample, predicted[seed]);
    for (std::size_t metric = 0; metric < scored.values.size(); ++metric) {
      result.seed_means[seed][metric] += scored.values[metric];
    }
  }
}

/// Sums become means.
void finish_seeds(Evaluation& result) {
  for (std::vector<double>& means : result.seed_means) {
    for (double& mean : means) {
      mean /= static_cast<double>(result.scores.size());
    }
  }
}

/// What is asked for at the image's own size.
void finish_native(const Segmenter& segmenter, const EvaluationOptions& options,
                   const Loaded& loaded, const at::Tensor& probability, Evaluation& result) {
  const at::Tensor mask = native_mask(segmenter, loaded, probability);
  const std::string& name = loaded.sample.name;
  if (options.native) {
    result.native.push_back(metrics::score_image(name, mask, loaded.truth, {}, loaded.ignored));
  }
  if (loaded.rgb.defined()) {
    data::write_jpeg(options.overlay_folder / (name + ".jpg"),
                     data::overlay(loaded.rgb, mask, loaded.truth));
  }
}

/// probabilities [S,N,1,R,R] of a batch, which follows those scored so far.
void score_batch(const Segmenter& segmenter, const EvaluationOptions& options,
                 const std::vector<Loaded>& batch, const at::Tensor& probabilities,
                 Evaluation& result) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::vector<at::Tensor> seeds =
        probabilities.select(1, static_cast<std::int64_t>(i)).select(1, 0).unbind();
    const at::Tensor& predicted = seeds.front();
    const Loaded& loaded = batch[i];
    require_finite(predicted, loaded.sample.name);
    result.scores.push_back(score(segmenter, loaded.sample, predicted));
    if (seeds.size() > 1) {
      add_seeds(segmenter, loaded.sample, seeds, result);
    }
    if (loaded.truth.defined()) {
      finish_native(segmenter, options, loaded, predicted, result);
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
  Workers workers;
  Prefetcher<Loaded> loaded(workers, {.first = 0, .end = dataset.size()},
                            batch_size + workers.count(),
                            [&](std::size_t i) { return load(dataset, i, options); });
  Evaluation result;
  while (result.scores.size() < dataset.size()) {
    std::vector<Loaded> batch;
    std::vector<at::Tensor> images;
    ImageNames names;
    const std::size_t left = dataset.size() - result.scores.size();
    for (std::size_t i = 0; i < std::min(batch_size, left); ++i) {
      batch.push_back(loaded.next());
      images.push_back(batch.back().sample.image);
      names.push_back(batch.back().sample.name);
    }
    score_batch(segmenter, options, batch,
                segmenter.probabilities(at::stack(images), names, options.seeds), result);
    if (on_progress) {
      on_progress(result.scores.size());
    }
  }
  finish_seeds(result);
  return result;
}

}  // namespace leaf
