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

/// Reads a picture that must have the truth's size.
at::Tensor read_like(const fs::path& path, const at::Tensor& truth, const fs::path& truth_path) {
  const at::Tensor picture = data::read_mask(path);
  if (picture.sizes() != truth.sizes()) {
    throw DataError(leaf::str("'", path.string(), "' is ", picture.size(1), "x", picture.size(0),
                              " but '", truth_path.string(), "' is ", truth.size(1), "x",
                              truth.size(0), "; masks of the same size are needed"));
  }
  return picture;
}

void score_pair(const MaskPair& pair, std::int64_t threshold, const metrics::ScoreOptions& scoring,
                Evaluation& result) {
  const at::Tensor grey = data::read_mask(pair.truth);
  const at::Tensor prediction = read_like(pair.prediction, grey, pair.truth) > threshold;
  const at::Tensor truth = grey > threshold;
  std::optional<at::Tensor> probability;
  if (!pair.probability.empty()) {
    probability = read_like(pair.probability, grey, pair.truth).to(at::kFloat).div(255);
    result.curves.add(*probability, truth);
  }
  result.scores.push_back(metrics::score_image(pair.name, prediction, truth, scoring, probability));
}

}  // namespace

std::vector<MaskPair> pair_masks(const MaskFolders& folders) {
  const FilesByName predictions = predicted_masks(folders.predictions);
  const FilesByName truths = files_by_name(folders.truths, folders.truth_suffix);
  const FilesByName probabilities =
      folders.probabilities.empty() ? FilesByName{} : files_by_name(folders.probabilities, "");
  std::vector<MaskPair> pairs;
  for (const auto& [name, truth] : truths) {
    const auto prediction = predictions.find(name);
    if (prediction == predictions.end()) {
      throw DataError(str("'", truth.string(), "' has no prediction '",
                          (folders.predictions / name).string(), ".*'"));
    }
    const auto probability = probabilities.find(name);
    if (!folders.probabilities.empty() && probability == probabilities.end()) {
      throw DataError(str("'", truth.string(), "' has no probability '",
                          (folders.probabilities / name).string(), ".*'"));
    }
    pairs.push_back({name, prediction->second, truth,
                     probability == probabilities.end() ? fs::path() : probability->second});
  }
  warn_about_extra(predictions, truths);
  std::sort(pairs.begin(), pairs.end(), [](const MaskPair& a, const MaskPair& b) {
    return data::natural_less(a.name, b.name);
  });
  return pairs;
}

Evaluation evaluate_masks(const std::vector<MaskPair>& pairs, std::int64_t threshold,
                          const metrics::ScoreOptions& scoring, const OnProgress& on_progress) {
  Evaluation result;
  for (const MaskPair& pair : pairs) {
    score_pair(pair, threshold, scoring, result);
    if (on_progress) {
      on_progress(result.scores.size());
    }
  }
  return result;
}

}  // namespace leaf
