#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/earlier_results.h"
#include "common/exit_code.h"
#include "common/progress.h"
#include "common/scored_data.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf_eval/figure_columns.h"
#include "leaf_eval/options.h"
#include "leaf_eval/report.h"
#include "leaf_eval/scoring.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// Throws ConfigError, which names the option, for classes that are none.
data::MaskClasses classes_of(const EvalOptions& o) {
  if (o.classes.empty()) {
    return {};
  }
  try {
    data::MaskClasses classes = data::parse_classes(o.classes);
    if (classes.by_value() && o.ignore_value != data::kNoIgnoreValue) {
      throw ConfigError(
          str("does not go with --ignore-value; put ignore=", o.ignore_value, " there"));
    }
    classes.coding = o.nested_classes ? data::ClassCoding::kChannels : data::ClassCoding::kColours;
    return classes;
  } catch (const ConfigError& failure) {
    throw ConfigError(str("--classes ", failure.what()));
  }
}

data::MaskOptions mask_options(const EvalOptions& o) {
  data::MaskOptions options;
  options.threshold = o.threshold;
  options.ignore_value = o.ignore_value;
  options.threshold_name = "--threshold";
  options.zero_threshold = "--threshold 0";
  options.ignore_name = "--ignore-value";
  options.classes = classes_of(o);
  options.classes_name = "--classes";
  return options;
}

metrics::ScoreOptions mask_scoring(const EvalOptions& o) {
  metrics::ScoreOptions scoring = score_options(o.scoring);
  if (!o.probabilities.empty() && classes_of(o).several()) {
    throw ConfigError("--probabilities: those of several classes are not read; leave it out");
  }
  if (!o.probabilities.empty()) {
    scoring.groups.add(metrics::MetricGroup::kProbability);
  } else if (scoring.groups.has(metrics::MetricGroup::kProbability)) {
    throw ConfigError("--metrics: the group 'probability' needs --probabilities");
  }
  return scoring;
}

EvaluationFacts facts_of(const EvalOptions& o) {
  EvaluationFacts facts = {{"predictions", o.predictions.string()},
                           {"ground_truth", o.ground_truth.string()},
                           {"threshold", std::to_string(o.threshold)},
                           {"ignore_value", std::to_string(o.ignore_value)}};
  add_classes(facts, classes_of(o));
  if (!o.probabilities.empty()) {
    facts.emplace_back("probabilities", o.probabilities.string());
  }
  const EvaluationFacts scoring = scoring_facts(o.scoring);
  facts.insert(facts.end(), scoring.begin(), scoring.end());
  return facts;
}

/// Throws ConfigError unless --images, where it is given, is a folder; says so where the first
/// masks have no images there.
void check_images(const EvalOptions& o, const std::vector<MaskPair>& pairs) {
  constexpr std::size_t kLooks = 20;  // each reads the folder's names
  if (o.images.empty()) {
    return;
  }
  if (!fs::is_directory(o.images)) {
    throw ConfigError(str("--images: no folder '", o.images.string(), "'"));
  }
  const auto end = pairs.begin() + static_cast<std::ptrdiff_t>(std::min(kLooks, pairs.size()));
  if (std::none_of(pairs.begin(), end,
                   [&](const MaskPair& pair) { return find_picture(o.images, pair.name); })) {
    log::warn(str("--images: '", o.images.string(), "' has no image '", pairs.front().name,
                  "', nor one for the masks after it; pages show masks alone"));
  }
}

/// What was made on an image as a viewer turns it, on the pixels of a pair's masks: those as
/// stored, unless the masks' files turn themselves or only the turned image has their size. Nothing
/// where none has it.
std::optional<at::Tensor> on_masks(const at::Tensor& displayed, int orientation,
                                   const MaskPair& pair, const data::MaskOptions& options) {
  const data::Mask stored_truth = data::load_mask(pair.truth, options);
  const bool turns_itself = stored_truth.orientation != 1;
  const data::ImageSize size =
      data::size_of(data::turned(stored_truth, stored_truth.orientation).labels);
  const at::Tensor stored = data::undo_orientation(displayed, orientation);
  for (const at::Tensor& way : {turns_itself ? displayed : stored, displayed}) {
    if (data::size_of(way) == size) {
      return way;
    }
  }
  return std::nullopt;
}

/// The image of a pair below --images: nothing where there is none of the masks' size.
std::optional<at::Tensor> image_of(const MaskPair& pair, const EvalOptions& o) {
  const auto file = o.images.empty() ? std::nullopt : find_picture(o.images, pair.name);
  if (!file || data::is_volume(pair.truth)) {
    return std::nullopt;
  }
  const data::LoadedImage image = data::read_image(*file);
  return on_masks(image.rgb, image.exif_orientation, pair, mask_options(o));
}

/// What a model makes of an image below --images.
at::Tensor mask_by(const Segmenter& segmenter, const MaskPair& pair, const EvalOptions& o) {
  const auto file = o.images.empty() ? std::nullopt : find_picture(o.images, pair.name);
  if (!file) {
    throw ConfigError(str("--figure-with: a model needs --images with an image '", pair.name, "'"));
  }
  const data::LoadedImage image = data::read_image(*file, segmenter.image_options());
  const at::Tensor mask = segmenter.segment(image.rgb, pair.name).mask;
  return on_masks(mask, image.exif_orientation, pair, mask_options(o)).value_or(mask);
}

/// The same name's mask in another folder of predictions.
at::Tensor mask_in(const fs::path& folder, const MaskPair& pair, const EvalOptions& o) {
  const auto file = find_picture(folder, pair.name);
  if (!file) {
    throw DataError(str("--figure-with: no mask '", pair.name, "' in '", folder.string(), "'"));
  }
  return load_masks({pair.name, *file, pair.truth, {}}, mask_options(o)).prediction;
}

std::vector<report::Column> columns_of(const EvalOptions& o, const Runtime& runtime,
                                       const std::vector<MaskPair>& pairs) {
  using Places = std::vector<std::size_t>;
  const auto of_folder = [&o, &pairs](const fs::path& folder, const Places& places) {
    std::vector<at::Tensor> masks;
    for (const std::size_t i : places) {
      masks.push_back(mask_in(folder, pairs[i], o));
    }
    return masks;
  };
  const auto of_model = [&o, &pairs, runtime](const fs::path& folder, const Places& places) {
    const Segmenter segmenter = Segmenter::load(
        folder, {.device = runtime.device, .precision = runtime.precision, .seed = o.seed});
    std::vector<at::Tensor> masks;
    for (const std::size_t i : places) {
      masks.push_back(mask_by(segmenter, pairs[i], o));
    }
    return masks;
  };
  return figure_columns(o, {of_model, of_folder});
}

report::Case mask_case(const MaskPair& pair, const EvalOptions& o) {
  const ScoredPixels masks = load_masks(pair, mask_options(o));
  return report::make_case(image_of(pair, o), masks.truth, masks.prediction, masks.ignored,
                           classes_of(o));
}

}  // namespace

int score_masks(const EvalOptions& o) {
  const Runtime runtime = apply(o.common);
  const data::MaskOptions options = mask_options(o);
  const metrics::ScoreOptions scoring = mask_scoring(o);
  const metrics::BreakdownOptions breakdown = breakdown_options(o.scoring);
  const auto output = o.output.empty() ? sibling(o.predictions, "-eval") : o.output;
  const auto pairs = pair_masks(
      {o.predictions, o.ground_truth, {o.truth_prefix, o.truth_suffix}, o.probabilities});
  check_images(o, pairs);
  const auto columns = columns_of(o, runtime, pairs);
  Progress progress(static_cast<std::int64_t>(pairs.size()), "eval", stderr_output(o.common.quiet));
  Evaluation evaluation = evaluate_masks(pairs, options, scoring, [&](std::size_t done) {
    progress.update(static_cast<std::int64_t>(done));
  });
  progress.finish();
  note_earlier_results(output, files_not_written(o));
  const std::string title = "at the masks' sizes";
  const EvaluationSummary summary = publish(evaluation, facts_of(o), breakdown, title, output);
  const auto load_case = [&](std::size_t i) { return mask_case(pairs[i], o); };
  write_pages(o,
              {.title = str("Masks of ", o.predictions.string(), ", ", title),
               .name = column_title(o.predictions),
               .evaluation = &evaluation,
               .summary = &summary,
               .load_case = load_case,
               .columns = columns},
              output);
  return kExitSuccess;
}

}  // namespace leaf::apps
