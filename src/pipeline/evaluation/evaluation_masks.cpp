#include <ATen/ATen.h>

#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "data/image_folder.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_census.h"
#include "leaf/data/name_pairs.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using data::FilesByName;

/// Predictions without the pictures that leaf_infer writes beside its masks.
FilesByName predicted_masks(const fs::path& folder) {
  const data::FoundImages found = data::find_images(folder, {.enter_results = true});
  data::report_passed_over(found, folder);
  FilesByName files = data::files_by_name(folder, found.images);
  std::erase_if(files, [](const auto& item) {
    return item.first.starts_with("overlays/") || item.first.starts_with("probabilities/");
  });
  return files;
}

/// The true masks that are called as `affix` says; a warning counts the others.
FilesByName true_masks(const fs::path& folder, const data::NameAffix& affix) {
  const data::FoundImages found = data::find_images(folder, {.enter_results = true});
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

/// " (add --truth-suffix _segmentation, with which 12 pair)", where something would pair.
std::string advice(const MaskFolders& folders, const FilesByName& predictions) {
  const FilesByName truths = data::files_by_name(
      folders.truths, data::find_images(folders.truths, {.enter_results = true}).images);
  if (const auto guess = data::guess_affix(predictions, truths)) {
    const auto option = [](const char* name, const std::string& value) {
      return value.empty() ? "" : str(name, " ", value);
    };
    const std::string prefix = option("--truth-prefix", guess->affix.prefix);
    const std::string suffix = option("--truth-suffix", guess->affix.suffix);
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

/// The masks of one side, and what is odd about them.
struct MaskSide {
  data::MaskOptions options;
  data::MaskCensus census;

  data::Mask load(std::size_t index, const fs::path& path) {
    data::Mask mask = data::load_mask(path, options);
    census.add(index, mask.remarks, mask.target.any().item<bool>());
    const int orientation = mask.orientation;
    return data::turned(std::move(mask), orientation);
  }
};

metrics::ImageScore score_pair(const MaskPair& pair, const data::Mask& prediction,
                               const data::Mask& truth) {
  if (prediction.target.sizes() != truth.target.sizes()) {
    const data::ImageSize a = data::size_of(prediction.target);
    const data::ImageSize b = data::size_of(truth.target);
    throw DataError(leaf::str("'", pair.prediction.string(), "' is ", a.width, "x", a.height,
                              " but '", pair.truth.string(), "' is ", b.width, "x", b.height,
                              "; masks of the same size are needed"));
  }
  return metrics::score_image(pair.name, prediction.target, truth.target, {}, truth.ignored);
}

}  // namespace

std::vector<MaskPair> pair_masks(const MaskFolders& folders) {
  const FilesByName predictions = predicted_masks(folders.predictions);
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
    pairs.push_back({pair.name, pair.first, pair.second});
  }
  return pairs;
}

std::vector<metrics::ImageScore> evaluate_masks(const std::vector<MaskPair>& pairs,
                                                const data::MaskOptions& options,
                                                const OnProgress& on_progress) {
  MaskSide predictions{options, data::MaskCensus(pairs.size())};
  predictions.options.ignore_value = data::kNoIgnoreValue;
  MaskSide truths{options, data::MaskCensus(pairs.size())};
  std::vector<metrics::ImageScore> scores;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    scores.push_back(score_pair(pairs[i], predictions.load(i, pairs[i].prediction),
                                truths.load(i, pairs[i].truth)));
    if (on_progress) {
      on_progress(scores.size());
    }
  }
  predictions.census.require_target();
  truths.census.require_target();
  predictions.census.log_lines();
  truths.census.log_lines();
  return scores;
}

}  // namespace leaf
