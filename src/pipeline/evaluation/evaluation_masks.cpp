#include <ATen/ATen.h>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "data/image_folder.h"
#include "leaf/data/image_io.h"
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

metrics::ImageScore score_pair(const MaskPair& pair, std::int64_t threshold) {
  const at::Tensor prediction = data::read_mask(pair.prediction);
  const at::Tensor truth = data::read_mask(pair.truth);
  if (prediction.sizes() != truth.sizes()) {
    throw DataError(leaf::str("'", pair.prediction.string(), "' is ", prediction.size(1), "x",
                              prediction.size(0), " but '", pair.truth.string(), "' is ",
                              truth.size(1), "x", truth.size(0),
                              "; masks of the same size are needed"));
  }
  return metrics::score_image(pair.name, prediction > threshold, truth > threshold);
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
                                                std::int64_t threshold,
                                                const OnProgress& on_progress) {
  std::vector<metrics::ImageScore> scores;
  for (const MaskPair& pair : pairs) {
    scores.push_back(score_pair(pair, threshold));
    if (on_progress) {
      on_progress(scores.size());
    }
  }
  return scores;
}

}  // namespace leaf
