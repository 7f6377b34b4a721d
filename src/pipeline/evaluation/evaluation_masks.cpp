#include <ATen/ATen.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/image_folder.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_census.h"
#include "leaf/data/name_pairs.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/evaluation.h"
#include "pipeline/evaluation/score_labels.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using data::FilesByName;

constexpr data::ImageSearch kSearch{.enter_results = true, .volumes = true};

/// Predictions without the pictures that leaf_infer writes beside its masks. A folder that the
/// true masks have too holds masks.
FilesByName predicted_masks(const fs::path& folder, const fs::path& truths) {
  const data::FoundImages found = data::find_images(folder, kSearch);
  data::report_passed_over(found, folder);
  FilesByName files = data::files_by_name(folder, found.images);
  std::erase_if(files, [&](const auto& item) {
    const fs::path name(item.first);
    return name.has_parent_path() && data::is_picture_folder(*name.begin()) &&
           !fs::exists(truths / *name.begin());
  });
  return files;
}

/// The true masks that are called as `affix` says; a warning counts the others.
FilesByName true_masks(const fs::path& folder, const data::NameAffix& affix) {
  const data::FoundImages found = data::find_images(folder, kSearch);
  data::report_passed_over(found, folder);
  FilesByName files = data::files_by_name(folder, found.images);
  const std::size_t others = std::erase_if(
      files, [&](const auto& item) { return !affix.take_from(item.first).has_value(); });
  if (others > 0 && !files.empty()) {
    log::warn(str(others, " of ", found.images.size(), " true masks are not called '",
                  affix.add_to("NAME"), "' and are not scored"));
  }
  return files;
}

/// " ; with NameAffix::suffix _segmentation 12 pair", where something would pair.
std::string advice(const MaskFolders& folders, const FilesByName& predictions) {
  const FilesByName truths =
      data::files_by_name(folders.truths, data::find_images(folders.truths, kSearch).images);
  if (const auto guess = data::guess_affix(predictions, truths)) {
    const auto option = [](const char* name, const std::string& value) {
      return value.empty() ? "" : str(name, " ", value);
    };
    const std::string prefix = option("NameAffix::prefix", guess->affix.prefix);
    const std::string suffix = option("NameAffix::suffix", guess->affix.suffix);
    return str("; with ", prefix, prefix.empty() || suffix.empty() ? "" : " ", suffix, " ",
               guess->pairs, " pair");
  }
  if (const auto guess = data::guess_affix(truths, predictions)) {
    return str("; predictions are called '", guess->affix.add_to("NAME"),
               "' for true masks 'NAME' (", guess->pairs, "): rename one side");
  }
  return "";
}

void warn_about_extra(const std::vector<std::string>& extra, const FilesByName& predictions) {
  if (!extra.empty()) {
    log::warn(str(extra.size(), " predictions have no ground truth and are not scored, first '",
                  predictions.at(extra.front()).string(), "'"));
  }
}

/// A volume's mask: its slices, one below the other. Every value but 0 is the target, unless there
/// are classes of values.
data::Mask load_volume(const fs::path& path, data::MaskOptions options) {
  options.threshold = 0;
  return data::interpret_mask(data::stacked_slices(*data::open_volume(path)), path.string(),
                              options);
}

/// A mask as displayed.
data::Mask load_displayed(const fs::path& path, const data::MaskOptions& options) {
  if (data::is_volume(path)) {
    return load_volume(path, options);
  }
  data::Mask mask = data::load_mask(path, options);
  const int orientation = mask.orientation;
  return data::turned(std::move(mask), orientation);
}

/// What is odd about the masks of both sides.
struct Censuses {
  explicit Censuses(std::size_t count) : predictions(count), truths(count) {}
  data::MaskCensus predictions;
  data::MaskCensus truths;
};

void add(data::MaskCensus& census, std::size_t index, const data::Mask& mask) {
  census.add(index, mask.remarks, mask.labels.any().item<bool>());
}

/// Throws DataError for two volumes that are not of the same voxels.
void require_same_volume(const fs::path& path, const fs::path& truth) {
  if (data::is_volume(path) && data::is_volume(truth)) {
    data::require_same_place(*data::open_volume(path), *data::open_volume(truth));
  }
}

/// Throws DataError when a picture has not the truth's size.
void require_size(const fs::path& path, const at::Tensor& pixels, const fs::path& truth_path,
                  const at::Tensor& truth) {
  if (pixels.sizes() != truth.sizes()) {
    const data::ImageSize a = data::size_of(pixels);
    const data::ImageSize b = data::size_of(truth);
    throw DataError(leaf::str("'", path.string(), "' is ", a.width, "x", a.height, " but '",
                              truth_path.string(), "' is ", b.width, "x", b.height,
                              "; masks of the same size are needed"));
  }
}

at::Tensor load_probability(const fs::path& path) {
  const data::MaskValues found = load_displayed(path, {}).values;
  const at::Tensor probability = found.values.to(at::kFloat).div(found.white);
  constexpr double kRounding = 1e-5;  // of resized maps
  const double low = probability.min().item<double>();
  const double high = probability.max().item<double>();
  if (!(low >= -kRounding && high <= 1 + kRounding)) {
    throw DataError(str("'", path.string(), "' has values from ", low, " to ", high,
                        "; probabilities lie between 0 and 1"));
  }
  return probability.clamp(0, 1);
}

ScoredPixels load(const MaskPair& pair, const data::MaskOptions& options, std::size_t index,
                  Censuses* censuses) {
  data::MaskOptions of_predictions = options;
  of_predictions.ignore_value = data::kNoIgnoreValue;
  require_same_volume(pair.prediction, pair.truth);
  const data::Mask prediction = load_displayed(pair.prediction, of_predictions);
  const data::Mask truth = load_displayed(pair.truth, options);
  if (censuses != nullptr) {
    add(censuses->predictions, index, prediction);
    add(censuses->truths, index, truth);
  }
  require_size(pair.prediction, prediction.labels, pair.truth, truth.labels);
  ScoredPixels pixels{prediction.labels, truth.labels, truth.ignored, std::nullopt};
  if (!pair.probability.empty()) {
    pixels.probability = load_probability(pair.probability);
    require_size(pair.probability, *pixels.probability, pair.truth, truth.labels);
  }
  return pixels;
}

/// The one probability of a pixel as score_labels() takes it; with several classes, of which it
/// says nothing, none.
std::optional<at::Tensor> planes(const std::optional<at::Tensor>& probability,
                                 const data::MaskClasses& classes) {
  return probability && !classes.several() ? std::optional(probability->unsqueeze(0))
                                           : std::nullopt;
}

/// The probability of every pair; throws DataError where one is missing.
void add_probabilities(const fs::path& folder, std::vector<MaskPair>& pairs) {
  const data::FoundImages found = data::find_images(folder, kSearch);
  const FilesByName files = data::files_by_name(folder, found.images);
  for (MaskPair& pair : pairs) {
    const auto file = files.find(pair.name);
    if (file == files.end()) {
      throw DataError(str("'", pair.prediction.string(), "' has no probability '",
                          (folder / pair.name).string(), ".*'"));
    }
    pair.probability = file->second;
  }
}

/// Of a volume voxels are counted: slices are no images to measure outlines and objects in.
metrics::ScoreOptions scoring_of(const MaskPair& pair, const metrics::ScoreOptions& scoring) {
  if (!data::is_volume(pair.truth)) {
    return scoring;
  }
  metrics::ScoreOptions counting = scoring;
  counting.groups = {};
  if (scoring.groups.has(metrics::MetricGroup::kProbability)) {
    counting.groups.add(metrics::MetricGroup::kProbability);
  }
  if (scoring.groups.has(metrics::MetricGroup::kBoundary) ||
      scoring.groups.has(metrics::MetricGroup::kObjects)) {
    log::warn_once("volumes are counted",
                   str("'", pair.truth.string(),
                       "' is a volume, whose voxels are counted; outlines and objects are measured "
                       "in images alone; so it is with others"));
  }
  return counting;
}

/// The rows of one table have the same columns: where images are among volumes, theirs.
void share_groups(const std::vector<MaskPair>& pairs, const metrics::MetricGroups& groups,
                  std::vector<metrics::ImageScore>& scores) {
  if (std::all_of(pairs.begin(), pairs.end(),
                  [](const MaskPair& pair) { return data::is_volume(pair.truth); })) {
    return;
  }
  for (metrics::ImageScore& score : scores) {
    score.groups = groups;
    for (metrics::ImageScore& of_class : score.classes) {
      of_class.groups = groups;
    }
  }
}

}  // namespace

std::vector<MaskPair> pair_masks(const MaskFolders& folders) {
  const FilesByName predictions = predicted_masks(folders.predictions, folders.truths);
  const FilesByName truths = true_masks(folders.truths, folders.truth_affix);
  if (truths.empty()) {
    throw DataError(str("no true mask in '", folders.truths.string(), "' is called '",
                        folders.truth_affix.add_to("NAME"), "'", advice(folders, predictions)));
  }
  const data::NamePairs matched = data::match_names(predictions, truths, folders.truth_affix);
  if (!matched.without_first.empty()) {
    const std::string& first = matched.without_first.front();
    throw DataError(str("'", truths.at(first).string(), "' has no prediction '",
                        (folders.predictions / *folders.truth_affix.take_from(first)).string(),
                        ".*' (so have ", matched.without_first.size(), " of ", truths.size(), ")",
                        advice(folders, predictions)));
  }
  warn_about_extra(matched.without_second, predictions);
  std::vector<MaskPair> pairs;
  for (const data::NamePair& pair : matched.pairs) {
    pairs.push_back({pair.name, pair.first, pair.second, {}});
  }
  if (!folders.probabilities.empty()) {
    add_probabilities(folders.probabilities, pairs);
  }
  return pairs;
}

ScoredPixels load_masks(const MaskPair& pair, const data::MaskOptions& options) {
  return load(pair, options, 0, nullptr);
}

Evaluation evaluate_masks(const std::vector<MaskPair>& pairs, const data::MaskOptions& options,
                          const metrics::ScoreOptions& scoring, const OnProgress& on_progress) {
  Censuses censuses(pairs.size());
  Evaluation result;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const ScoredPixels pixels = load(pairs[i], options, i, &censuses);
    result.scores.push_back(score_labels(pairs[i].name, pixels.prediction, pixels.truth,
                                         options.classes, scoring_of(pairs[i], scoring),
                                         planes(pixels.probability, options.classes),
                                         pixels.ignored));
    if (pixels.probability && !options.classes.several()) {
      result.curves.add(*pixels.probability, pixels.truth, pixels.ignored);
    }
    if (on_progress) {
      on_progress(result.scores.size());
    }
  }
  share_groups(pairs, scoring.groups, result.scores);
  for (data::MaskCensus* census : {&censuses.predictions, &censuses.truths}) {
    census->require_target();
  }
  for (data::MaskCensus* census : {&censuses.predictions, &censuses.truths}) {
    census->log_lines();
  }
  return result;
}

}  // namespace leaf
