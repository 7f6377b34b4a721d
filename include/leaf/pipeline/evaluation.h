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
#include "leaf/data/mask_values.h"
#include "leaf/data/name_pairs.h"
#include "leaf/metrics/breakdown.h"
#include "leaf/metrics/curves.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// Called with the number of images that are done.
using OnProgress = std::function<void(std::size_t done)>;

/// Called with the place of each sample, its predicted labels, uint8 [R,R], and its pixels that are
/// not scored (data::Sample::ignored), before the next is scored.
using OnLabels =
    std::function<void(std::size_t index, const at::Tensor& labels, const at::Tensor& ignored)>;

/// The score of every sample of the data set, in its order, at the data set's resolution: the
/// predicted labels against the sample's mask. Of several classes each has a score, and the image
/// their mean. The networks must be in evaluation mode. The batch size changes the speed, and the
/// scores no more than floating point does. Throws DataError for files that cannot be read.
std::vector<metrics::ImageScore> evaluate(const Segmenter& segmenter, const data::Dataset& dataset,
                                          std::int64_t batch_size,
                                          const OnProgress& on_progress = {});

/// Dice of two label maps [H,W], which `ignored` pixels (uint8 [H,W], or undefined) do not count
/// in; of several classes the mean of theirs.
double mask_agreement(const at::Tensor& labels, const at::Tensor& others,
                      const data::MaskClasses& classes, const at::Tensor& ignored = {});

struct EvaluationOptions {
  /// Images at a time.
  std::int64_t batch_size = 8;
  /// Noise samples, 1 or more. All scores are those of the first; see Evaluation::seeds.
  std::int64_t seeds = 1;
  /// Also at the images' own sizes: the probability is resized, then thresholded.
  bool native = false;
  /// Writes that many pictures with the outlines of prediction (yellow) and truth (green), or of
  /// every class (data::class_overlay), spread over the data set, into overlay_folder, as NAME.jpg
  /// or, with lossless_overlays, NAME.png.
  std::int64_t overlays = 0;
  bool lossless_overlays = false;
  std::filesystem::path overlay_folder;
  metrics::ScoreOptions scoring;
  /// The sides of the images' own pixels, in place of scoring.spacing; it is scaled where the
  /// images are. Without it, lengths are in pixels of the scored size.
  std::optional<metrics::Spacing> spacing;
  OnLabels on_labels;
};

struct Evaluation {
  std::vector<metrics::ImageScore> scores;
  std::vector<metrics::ImageScore> native;  ///< empty unless asked for
  /// Of several noise samples: the scores of each, in their order; the first are `scores`. Else
  /// empty.
  std::vector<std::vector<metrics::ImageScore>> seeds;
  /// Of `scores`, where the group kProbability was asked for; empty with several classes, which no
  /// threshold divides.
  metrics::Curves curves;
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
  /// Where given: probabilities as leaf_infer writes them (PNG of 8 or 16 bits, white is 1), under
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

/// Pairs the image files of the two folders, and all below, by name (data::match_names); in natural
/// order. Throws DataError for a truth without prediction, which proposes the affix that would pair
/// most, for a prediction without probability, or two files of one name; predictions without truth
/// and truths without the affix are warned about, but for leaf_infer's folders of pictures
/// (overlays/, probabilities/, ...), which are no predictions.
std::vector<MaskPair> pair_masks(const MaskFolders& folders);

/// The pixels of a pair as they are scored, as displayed.
struct ScoredPixels {
  at::Tensor prediction;                  ///< uint8 [H,W], labels
  at::Tensor truth;                       ///< the same
  at::Tensor ignored;                     ///< uint8 [H,W]; undefined where nothing is ignored
  std::optional<at::Tensor> probability;  ///< float32 [H,W] in [0,1]
};

/// Reads a pair by the rules of data sets (MaskOptions), for both sides; only a truth has pixels to
/// be ignored. Throws DataError, naming both files, when sizes differ.
ScoredPixels load_masks(const MaskPair& pair, const data::MaskOptions& options);

/// Scores mask files, at their size, as load_masks reads them. What is odd about the masks is
/// logged at the end, a line for each kind and side. Throws DataError as load_masks does, and where
/// all masks of a side are empty because no value is above the threshold.
Evaluation evaluate_masks(const std::vector<MaskPair>& pairs, const data::MaskOptions& options,
                          const metrics::ScoreOptions& scoring = {},
                          const OnProgress& on_progress = {});

/// Facts about an evaluation for its summary.json, in this order: {"model", "runs/a/best"}.
using EvaluationFacts = std::vector<std::pair<std::string, std::string>>;

/// The SHA-256 over the images' names, a line each, in their order: which data were scored.
std::string names_sha256(const std::vector<metrics::ImageScore>& scores);

/// What is said of an evaluation; `native` where there are such scores.
struct EvaluationSummary {
  EvaluationFacts facts;
  metrics::Breakdown scores;
  std::optional<metrics::Breakdown> native;
  /// Of several noise samples: each one's mean score over the images, [sample][metric]. Else empty.
  std::vector<std::vector<double>> seed_means;
};

/// Mean and deviation of one metric's mean score over noise samples, as the paper's Table 4 has
/// it.
metrics::Statistics seed_statistics(const EvaluationSummary& summary, std::size_t metric);

/// Writes scores.csv, strata.csv where there are strata, both also with "-native" where there are
/// such scores, and summary.json, each atomically.
void write_evaluation(const std::filesystem::path& folder, const Evaluation& evaluation,
                      const EvaluationSummary& summary);

}  // namespace leaf
