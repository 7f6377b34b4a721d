#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "leaf/data/dataset.h"
#include "leaf/metrics/breakdown.h"
#include "leaf/metrics/curves.h"
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
  std::int64_t batch_size = 8;
  /// Also at the images' own sizes: the probability is resized, then thresholded.
  bool native = false;
  /// Writes that many pictures with the outlines of prediction (yellow) and truth (green), spread
  /// over the data set, as NAME.jpg into overlay_folder.
  std::int64_t overlays = 0;
  std::filesystem::path overlay_folder;
  metrics::ScoreOptions scoring;
  /// The sides of the images' own pixels, in place of scoring.spacing; it is scaled where the
  /// images are. Without it, lengths are in pixels of the scored size.
  std::optional<metrics::Spacing> spacing;
};

struct Evaluation {
  std::vector<metrics::ImageScore> scores;
  std::vector<metrics::ImageScore> native;  ///< empty unless asked for
  metrics::Curves curves;  ///< of `scores`, where the group kProbability was asked for
};

/// evaluate() with more to ask for; files are read twice where `native` needs them.
Evaluation evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                    const EvaluationOptions& options, const OnProgress& on_progress = {});

/// Where masks come from.
struct MaskFolders {
  std::filesystem::path predictions;
  std::filesystem::path truths;
  /// What a truth's file name has beyond its prediction's, before the extension ("_segmentation").
  std::string truth_suffix;
  /// Where given: probabilities as leaf_infer writes them (grey, 255 times the probability), under
  /// the predictions' names.
  std::filesystem::path probabilities;
};

/// A prediction and its truth; `name` is the path below their folders, without extension.
struct MaskPair {
  std::string name;
  std::filesystem::path prediction;
  std::filesystem::path truth;
  std::filesystem::path probability;  ///< empty where there is none
};

/// Pairs the image files of the two folders, and all below, by name; in natural order. DataError
/// for a truth without prediction or probability or two files of one name; predictions without
/// truth are warned about, but for leaf_infer's overlays/ and probabilities/, which are none.
std::vector<MaskPair> pair_masks(const MaskFolders& folders);

/// Scores mask files, at their size; grey values above `threshold` are foreground, in both.
/// DataError naming both files when sizes differ.
Evaluation evaluate_masks(const std::vector<MaskPair>& pairs, std::int64_t threshold,
                          const metrics::ScoreOptions& scoring = {},
                          const OnProgress& on_progress = {});

/// Facts about an evaluation for its summary.json, in this order: {"model", "runs/a/best"}.
using EvaluationFacts = std::vector<std::pair<std::string, std::string>>;

/// What is said of an evaluation; `native` where there are such scores.
struct EvaluationSummary {
  EvaluationFacts facts;
  metrics::Breakdown scores;
  std::optional<metrics::Breakdown> native;
};

/// Writes scores.csv, strata.csv where there are strata, both also with "-native" where there are
/// such scores, and summary.json, each atomically.
void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationSummary& summary);

}  // namespace leaf
