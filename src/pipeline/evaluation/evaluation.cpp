#include "leaf/pipeline/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/prefetcher.h"
#include "leaf/data/image_io.h"
#include "pipeline/evaluation/score_labels.h"
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
  return {std::move(full.sample), overlay ? full.pair.image.rgb : at::Tensor(), full.pair.labels,
          full.pair.ignored};
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

/// The score of a probability [C,R,R] at the data set's resolution.
metrics::ImageScore score(const Segmenter& segmenter, const EvaluationOptions& options,
                          const data::Sample& sample, const at::Tensor& probability) {
  return score_labels(sample.name, segmenter.labels(probability), sample.mask[0],
                      segmenter.classes(),
                      scoring_of(options, sample, probability.size(1), probability.size(2)),
                      probability, sample.ignored);
}

/// Adds the scores of every noise sample, probability [C,R,R] each, of one image; the first is
/// scored already.
void add_seeds(const Segmenter& segmenter, const EvaluationOptions& options,
               const data::Sample& sample, const std::vector<at::Tensor>& predicted,
               Evaluation& result) {
  result.seeds.resize(predicted.size());
  result.seeds.front().push_back(result.scores.back());
  for (std::size_t seed = 1; seed < predicted.size(); ++seed) {
    result.seeds[seed].push_back(score(segmenter, options, sample, predicted[seed]));
  }
}

/// What is asked for at the image's own size.
void finish_native(const Segmenter& segmenter, const EvaluationOptions& options,
                   const Loaded& loaded, const at::Tensor& probability, Evaluation& result) {
  const at::Tensor& truth = loaded.truth;
  const Segmentation found = segmenter.finish(probability, truth.size(0), truth.size(1));
  const std::string& name = loaded.sample.name;
  if (options.native) {
    result.native.push_back(
        score_labels(name, found.mask, truth, segmenter.classes(),
                     scoring_of(options, loaded.sample, truth.size(0), truth.size(1)),
                     found.classes, loaded.ignored));
  }
  if (loaded.rgb.defined()) {
    const at::Tensor picture =
        data::class_overlay(loaded.rgb, found.mask, segmenter.classes(), truth);
    if (options.lossless_overlays) {
      data::write_png(options.overlay_folder / (name + ".png"), picture);
    } else {
      data::write_jpeg(options.overlay_folder / (name + ".jpg"), picture);
    }
  }
}

/// probabilities [S,N,C,R,R] of a batch, which follows those scored so far.
void score_batch(const Segmenter& segmenter, const EvaluationOptions& options,
                 const std::vector<Loaded>& batch, const at::Tensor& probabilities,
                 Evaluation& result) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::vector<at::Tensor> seeds =
        probabilities.select(1, static_cast<std::int64_t>(i)).unbind();
    const at::Tensor& predicted = seeds.front();
    const Loaded& loaded = batch[i];
    for (const at::Tensor& of_seed : seeds) {
      require_finite(of_seed, loaded.sample.name);
    }
    result.scores.push_back(score(segmenter, options, loaded.sample, predicted));
    if (options.on_labels) {
      options.on_labels(result.scores.size() - 1, segmenter.labels(predicted),
                        loaded.sample.ignored);
    }
    if (options.scoring.groups.has(metrics::MetricGroup::kProbability) &&
        !segmenter.classes().several()) {
      result.curves.add(predicted[0], loaded.sample.mask[0], loaded.sample.ignored);
    }
    if (seeds.size() > 1) {
      add_seeds(segmenter, options, loaded.sample, seeds, result);
    }
    if (loaded.truth.defined()) {
      finish_native(segmenter, options, loaded, predicted, result);
    }
  }
}

}  // namespace

double mask_agreement(const at::Tensor& labels, const at::Tensor& others,
                      const data::MaskClasses& classes, const at::Tensor& ignored) {
  return score_labels("", labels, others, classes, {}, std::nullopt, ignored).value("dice");
}

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
  return result;
}

}  // namespace leaf
