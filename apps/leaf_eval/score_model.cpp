#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <future>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/earlier_results.h"
#include "common/exit_code.h"
#include "common/field_names.h"
#include "common/progress.h"
#include "common/scored_data.h"
#include "common/segmenter_options.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/split.h"
#include "leaf/pipeline/folders.h"
#include "leaf_eval/figure_columns.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"
#include "leaf_eval/scoring.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// Throws ConfigError where images that a threshold would be tuned on are in the test part, too, as
/// the published protocol has all of them.
void check_tuning(const data::SplitPairs& parts) {
  std::set<fs::path> test;
  for (const data::Pair& pair : parts.test) {
    test.insert(fs::weakly_canonical(pair.image));
  }
  std::vector<std::string> shared;
  for (const data::Pair& pair : parts.validation) {
    if (test.contains(fs::weakly_canonical(pair.image))) {
      shared.push_back(pair.name);
    }
  }
  if (!shared.empty()) {
    throw ConfigError(str("--tune-threshold: ", shared.size(), " of ", parts.validation.size(),
                          " images of the validation part ('", shared.front(),
                          "') are in the test part, too, whose scores a threshold tuned on them "
                          "would spoil; choose another data.split"));
  }
}

/// The pairs of one part; throws ConfigError when it is empty.
std::vector<data::Pair> pairs_of(const Config& config, const fs::path& model,
                                 const std::string& split, bool tunes) {
  const data::SplitPairs all = divide(config, model);
  if (tunes) {
    check_tuning(all);
  }
  return pairs_of_part(all, split);
}

/// Slices are scored one by one, which is not what people report of volumes.
void note_slices(const std::vector<data::Pair>& pairs) {
  std::set<fs::path> volumes;
  for (const data::Pair& pair : pairs) {
    if (pair.slice) {
      volumes.insert(pair.image);
    }
  }
  if (!volumes.empty()) {
    log::info(str(pairs.size(), " slices of ", volumes.size(),
                  " volumes are scored one by one; for scores of whole volumes: leaf_infer, then "
                  "leaf_eval --predictions"));
  }
}

/// Says what a model has in place of what the configuration asks for.
void log_differences(const data::DataConfig& data, const Preprocessing& preprocessing) {
  if (!data.classes.by_value() && preprocessing.classes.by_value()) {
    log::info(str("reading masks as the model was trained, with classes ",
                  join(data::class_items(preprocessing.classes), ", ")));
  }
  if (data.resolution != preprocessing.resolution) {
    log::info(str("scoring at the model's resolution ", preprocessing.resolution,
                  ", not at data.resolution ", data.resolution));
  }
  if (data.intensity != preprocessing.intensity) {
    log::info(str("reading images as the model was trained, with intensity ",
                  data::intensity_text(preprocessing.intensity), ", not with data.intensity ",
                  data::intensity_text(data.intensity)));
  }
}

Evaluation score(const Segmenter& segmenter, const data::Dataset& dataset,
                 const EvaluationOptions& options, bool quiet) {
  Progress progress(static_cast<std::int64_t>(dataset.size()), "eval", stderr_output(quiet));
  Evaluation evaluation = evaluate(segmenter, dataset, options, [&](std::size_t done) {
    progress.update(static_cast<std::int64_t>(done));
  });
  progress.finish();
  dataset.masks().require_target();
  dataset.masks().log_lines();
  return evaluation;
}

SegmenterOptions segmenter_options(const EvalOptions& o, const Runtime& runtime,
                                   const Preprocessing& preprocessing,
                                   const ValidationSection& validation) {
  SegmenterOptions options;
  options.device = runtime.device;
  options.precision = runtime.precision;
  options.seed = o.seed;
  options.noise = parse_enum<StartingNoise>(o.noise, "--noise");
  require_noise_of_samples(options.noise, o.seeds);
  options.num_inference_steps = o.num_inference_steps;
  if (options.num_inference_steps == 0 && preprocessing.num_inference_steps == 0) {
    options.num_inference_steps = validation.num_inference_steps;  // an older folder
  }
  return options;
}

EvaluationFacts facts_of(const EvalOptions& o, const std::filesystem::path& model,
                         const std::string& split, const SegmenterOptions& segmenter,
                         const Preprocessing& preprocessing, const data::MaskClasses& classes,
                         int ignore_value) {
  EvaluationFacts facts = {{"model", model.string()},
                           {"config", o.config.string()},
                           {"overrides", join(o.overrides, " ")},
                           {"split", split},
                           {"resolution", std::to_string(preprocessing.resolution)},
                           {"intensity", data::intensity_text(preprocessing.intensity)},
                           {"threshold", str(preprocessing.threshold)},
                           {"ignore_value", std::to_string(ignore_value)},
                           {"seed", std::to_string(segmenter.seed)},
                           {"noise", enum_text(segmenter.noise)},
                           {"num_inference_steps", std::to_string(segmenter.num_inference_steps)},
                           {"device", segmenter.device.str()},
                           {"precision", o.common.precision}};
  add_classes(facts, classes);
  const EvaluationFacts scoring = scoring_facts(o.scoring);
  facts.insert(facts.end(), scoring.begin(), scoring.end());
  return facts;
}

EvaluationOptions evaluation_options(const EvalOptions& o, const Config& config,
                                     const fs::path& output) {
  EvaluationOptions options;
  options.batch_size = o.batch_size > 0 ? o.batch_size : config.validation.batch_size;
  options.seeds = o.seeds;
  options.native = o.native;
  options.overlays = o.overlays;
  options.overlay_folder = output / "overlays";
  options.scoring = score_options(o.scoring);
  if (o.report || o.tune_threshold) {  // they show or use curves of the probabilities
    options.scoring.groups.add(metrics::MetricGroup::kProbability);
  }
  options.spacing = spacing_of(o.scoring);
  return options;
}

/// The part to score; throws ConfigError where a threshold would be tuned on another than
/// validation.
std::string part_of(const EvalOptions& o) {
  const std::string tuned = enum_text(data::Split::kValidation);
  if (o.tune_threshold && !o.split.empty() && o.split != tuned) {
    throw ConfigError(str("--tune-threshold on the ", o.split,
                          " part would spoil its scores; it takes the validation part"));
  }
  const std::string asked = o.split.empty() ? "test" : o.split;
  return o.tune_threshold ? tuned : asked;
}

/// Throws ConfigError where a threshold is to be tuned of several classes, which none divides.
void check_tuning(const EvalOptions& o, const data::MaskClasses& classes) {
  if (o.tune_threshold && classes.several()) {
    throw ConfigError(str("--tune-threshold: the model has ", classes.list.size(),
                          " classes; a threshold divides two"));
  }
}

report::Case model_case(const Segmenter& segmenter, const data::Dataset& dataset,
                        std::size_t index) {
  const data::DecodedSample shown = dataset.decoded(index);
  const data::Sample sample = dataset.load(index);
  const at::Tensor labels = segmenter.labels(
      segmenter.probability(sample.image.unsqueeze(0), ImageNames{sample.name}))[0];
  return report::make_case(shown.image, shown.mask, labels, shown.ignored, segmenter.classes());
}

/// The mask file of a pair's name in a folder of predictions, as the data set's own would be shown.
at::Tensor mask_in(const fs::path& folder, data::Pair pair, data::DataConfig data) {
  if (data.crop != data::Crop::kNone) {
    throw ConfigError(str("--figure-with '", folder.string(),
                          "': masks of whole images do not fit DataConfig::crop; name models"));
  }
  const auto file = find_picture(folder, pair.name);
  if (!file) {
    throw DataError(str("--figure-with: no mask '", pair.name, "' in '", folder.string(), "'"));
  }
  pair.mask = *file;
  pair.rule = data::MaskRule::kThreshold;
  data.mask_threshold = data::kMaskThreshold;
  data.ignore_value = data::kNoIgnoreValue;
  return data::load_pair(pair, data).labels;
}

std::vector<report::Column> columns_of(const EvalOptions& o, const Runtime& runtime,
                                       const Config& config, const std::vector<data::Pair>& pairs) {
  using Places = std::vector<std::size_t>;
  const auto of_model = [&o, runtime, &config, &pairs](const fs::path& folder,
                                                       const Places& places) {
    const Preprocessing preprocessing = load_description(folder).preprocessing;
    const data::Dataset dataset = make_dataset(config.data, pairs, preprocessing);
    const Segmenter segmenter =
        Segmenter::load(folder, segmenter_options(o, runtime, preprocessing, config.validation));
    std::vector<at::Tensor> masks;
    for (const std::size_t i : places) {
      masks.push_back(model_case(segmenter, dataset, i).prediction);
    }
    return masks;
  };
  const auto of_folder = [&config, &pairs](const fs::path& folder, const Places& places) {
    std::vector<at::Tensor> masks;
    for (const std::size_t i : places) {
      masks.push_back(mask_in(folder, pairs[i], config.data));
    }
    return masks;
  };
  return figure_columns(o, {of_model, of_folder});
}

void store_threshold(const fs::path& folder, const metrics::ThresholdCurve& curve, double before) {
  const double best = curve.best();
  set_threshold(folder, best);
  const auto dice_at = [&](double threshold) {
    const long near = std::lround(threshold * 100) - 1;
    return curve.dice(
        static_cast<int>(std::clamp<long>(near, 0, metrics::ThresholdCurve::kCount - 1)));
  };
  std::cout << "the threshold of '" << folder.string() << "' is now " << fixed(best, 2) << " (was "
            << before << "): mean Dice of the validation part " << fixed(dice_at(best), 4)
            << " instead of " << fixed(dice_at(before), 4) << std::endl;
}

}  // namespace

int score_model(const EvalOptions& o) {
  const Runtime runtime = apply(o.common);
  const metrics::BreakdownOptions breakdown = breakdown_options(o.scoring);
  config::Resolved resolved = config::resolve(o.config, o.overrides);
  set_field_names(field_names(resolved));
  Config& config = resolved.config;
  const std::string split = part_of(o);
  const auto folder = find_model_folder(o.model);
  const auto output = o.output.empty() ? sibling(folder, "-eval-" + split) : o.output;
  const Preprocessing preprocessing = load_description(folder).preprocessing;
  check_tuning(o, preprocessing.classes);
  log_differences(config.data, preprocessing);
  take_slice_axis(config.data, preprocessing);
  const data::MaskClasses classes = classes_of(config.data.classes, preprocessing.classes);
  config.data.classes = classes;
  const auto pairs = pairs_of(config, folder, split, o.tune_threshold);
  note_slices(pairs);
  const data::Dataset dataset = make_dataset(config.data, pairs, preprocessing);
  const auto columns = columns_of(o, runtime, config, pairs);
  make_folder(output);
  const SegmenterOptions options = segmenter_options(o, runtime, preprocessing, config.validation);
  const Segmenter segmenter = Segmenter::load(folder, options);
  std::future<std::string> hash = std::async(std::launch::async, model_sha256, folder);
  const EvaluationOptions how = evaluation_options(o, config, output);
  Evaluation evaluation = score(segmenter, dataset, how, o.common.quiet);
  note_earlier_results(output, files_not_written(o));
  const std::string size = std::to_string(preprocessing.resolution);
  const std::string title = str(split, " part at the model's ", size, "x", size);
  EvaluationFacts facts = facts_of(o, folder, split, segmenter.options(), preprocessing, classes,
                                   config.data.ignore_value);
  facts.emplace_back("model_sha256", hash.get());
  const EvaluationSummary summary = publish(evaluation, facts, breakdown, title, output);
  write_pages(o,
              {.title = str(folder.string(), ", ", title),
               .name = column_title(folder),
               .evaluation = &evaluation,
               .summary = &summary,
               .load_case = [&](std::size_t i) { return model_case(segmenter, dataset, i); },
               .columns = columns},
              output);
  if (o.tune_threshold) {
    store_threshold(folder, evaluation.curves.thresholds, preprocessing.threshold);
  }
  return kExitSuccess;
}

}  // namespace leaf::apps
