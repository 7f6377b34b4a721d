#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_census.h"
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
