#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using FilesByName = std::map<std::string, fs::path>;

/// The image files of a folder by their path below it, without extension and without `suffix`.
FilesByName files_by_name(const fs::path& folder, const std::string& suffix) {
  FilesByName files;
  for (const fs::path& file : data::list_images(folder, true)) {
    std::string name = file.lexically_relative(folder).replace_extension().string();
    if (name.ends_with(suffix)) {
      name.erase(name.size() - suffix.size());
    }
    const auto [other, is_new] = files.emplace(name, file);
    if (!is_new) {
      throw DataError(str("'", other->second.string(), "' and '", file.string(),
                          "' have the same name; remove one"));
    }
  }
  return files;
}

/// Predictions without the pictures that leaf_infer writes beside its masks.
FilesByName predicted_masks(const fs::path& folder) {
  FilesByName files = files_by_name(folder, "");
  std::erase_if(files, [](const auto& item) {
    return item.first.starts_with("overlays/") || item.first.starts_with("probabilities/");
  });
  return files;
}

void warn_about_extra(const FilesByName& predictions, const FilesByName& truths) {
  std::size_t extra = 0;
  std::string first;
  for (const auto& [name, file] : predictions) {
    if (!truths.contains(name) && extra++ == 0) {
      first = file.string();
    }
  }
  if (extra > 0) {
    log::warn(
        str(extra, " predictions have no ground truth and are not scored, first '", first, "'"));
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
  const FilesByName truths = files_by_name(folders.truths, folders.truth_suffix);
  std::vector<MaskPair> pairs;
  for (const auto& [name, truth] : truths) {
    const auto prediction = predictions.find(name);
    if (prediction == predictions.end()) {
      throw DataError(str("'", truth.string(), "' has no prediction '",
                          (folders.predictions / name).string(), ".*'"));
    }
    pairs.push_back({name, prediction->second, truth});
  }
  warn_about_extra(predictions, truths);
  std::sort(pairs.begin(), pairs.end(), [](const MaskPair& a, const MaskPair& b) {
    return data::natural_less(a.name, b.name);
  });
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
