#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "leaf/data/dataset.h"
#include "leaf/data/mask_values.h"
#include "leaf/data/name_pairs.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// Called with the number of images that are done.
using OnProgress = std::function<void(std::size_t done)>;

/// The score of every sample of the data set, in its order, at the data set's resolution: the
/// prediction's foreground against the sample's mask. The networks must be in evaluation mode. The
/// batch size changes the speed, and the scores no more than floating point does. DataError for
/// files that cannot be read.
std::vector<metrics::ImageScore> evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                                          std::int64_t batch_size,
                                          const OnProgress& on_progress = {});

struct EvaluationOptions {
  /// Images at a time.
  std::int64_t batch_size = 8;
  /// Noise samples, 1 or more. All scores are those of the first; see Evaluation::seed_means.
  std::int64_t seeds = 1;
  /// Also at the images' own sizes: the probability is resized, then thresholded.
  bool native = false;
  /// Writes that many pictures with the outlines of prediction (yellow) and truth (green), spread
  /// over the data set, as NAME.jpg into overlay_folder.
  std::int64_t overlays = 0;
  std::filesystem::path overlay_folder;
};

struct Evaluation {
  std::vector<metrics::ImageScore> scores;
  std::vector<metrics::ImageScore> native;  ///< empty unless asked for
  /// Of several noise samples: each one's mean score over the images, [sample][metric]. Else empty.
  std::vector<std::vector<double>> seed_means;
};

/// evaluate() with more to ask for. Every file is read once.
Evaluation evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                    const EvaluationOptions& options, const OnProgress& on_progress = {});

/// Where masks come from.
struct MaskFolders {
  std::filesystem::path predictions;
  std::filesystem::path truths;
  /// What a truth's file name has beyond its prediction's ("_segmentation").
  data::NameAffix truth_affix;
};

/// A prediction and its truth; `name` is the path below their folders, without extension.
struct MaskPair {
  std::string name;
  std::filesystem::path prediction;
  std::filesystem::path truth;
};

/// Pairs the image files of the two folders, and all below, by name (data::match_names); in natural
/// order. DataError for a truth without prediction, which proposes the affix that would pair most,
/// or two files of one name; predictions without truth and truths without the affix are warned
/// about, but for leaf_infer's overlays/ and probabilities/, which are no predictions.
std::vector<MaskPair> pair_masks(const MaskFolders& folders);

/// Scores mask files, at their size and as displayed, by the rules of data sets (MaskOptions), for
/// both; only a truth has pixels to be ignored. What is odd about the masks is logged at the end, a
/// line for each kind and side. Throws DataError, naming both files, when sizes differ, and where
/// all masks of a side are empty because no value is above the threshold.
std::vector<metrics::ImageScore> evaluate_masks(const std::vector<MaskPair>& pairs,
                                                const data::MaskOptions& options,
                                                const OnProgress& on_progress = {});

/// Mean and deviation of one metric's mean score over noise samples, as the paper's Table 4 has
/// it.
metrics::Statistics seed_statistics(const Evaluation& evaluation, std::size_t metric);

/// Facts about an evaluation for its summary.json, in this order: {"model", "runs/a/best"}.
using EvaluationFacts = std::vector<std::pair<std::string, std::string>>;

/// Writes scores.csv, scores-native.csv where there are such scores, and summary.json, each
/// atomically.
void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationFacts& facts);

}  // namespace leaf
