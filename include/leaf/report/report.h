#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "leaf/data/mask_classes.h"
#include "leaf/metrics/comparison.h"
#include "leaf/pipeline/evaluation.h"

namespace leaf::report {

/// An image to look at; all of one size.
struct Case {
  std::optional<at::Tensor> image;  ///< uint8 [H,W,3]
  at::Tensor truth;                 ///< labels [H,W], 0 is the background
  at::Tensor prediction;
  std::size_t classes = 2;  ///< the background among them
};

/// A case without the pixels that are ignored ([H,W], or undefined), which become background.
Case make_case(std::optional<at::Tensor> image, const at::Tensor& truth,
               const at::Tensor& prediction, const at::Tensor& ignored,
               const data::MaskClasses& classes);

/// Loads an image of an evaluation by its place in the scores, as it was scored.
using LoadCase = std::function<Case(std::size_t index)>;

/// An image that is shown, and why.
struct Choice {
  std::size_t index = 0;
  std::string why;  ///< "worst", "typical" or "best"
};

/// The images with the lowest, middle and highest Dice; of equal ones the larger target first. An
/// image of two empty masks is none of the best: it shows nothing. Each image once; fewer where
/// there are fewer.
std::vector<Choice> choose_cases(const std::vector<metrics::ImageScore>& scores);

/// Predictions of another model or run, to be shown beside.
struct Column {
  std::string title;
  /// Label maps of the images at these places, [H,W] of any size; called once.
  std::function<std::vector<at::Tensor>(const std::vector<std::size_t>& places)> masks;
};

/// What a report tells.
struct Report {
  std::string title;
  std::string name = "prediction";         ///< of what was scored, over its column of the figure
  const Evaluation* evaluation = nullptr;  ///< never null when it is written
  const EvaluationSummary* summary = nullptr;
  LoadCase load_case;
  std::vector<Column> columns = {};  ///< of the figure, beside what was scored
  /// The figure's rows, where they are not to be some of the best, typical and worst.
  std::vector<std::size_t> places = {};
};

/// Writes one HTML file that needs nothing else: summary, distributions, threshold curve and
/// reliability where probabilities were scored, chosen cases, a table of the images (the 5000 with
/// the lowest Dice, where there are more) and how was scored. Atomic.
void write_report(const std::filesystem::path& path, const Report& report);

/// The same for a comparison: tests, differences, the images that decide.
void write_comparison_report(const std::filesystem::path& path,
                             const metrics::Comparison& comparison,
                             const std::vector<metrics::ScoreTable>& runs);

/// A contact sheet of chosen cases as PNG, a row each under its name: image, truth, prediction, and
/// where they differ (green: both, red: prediction alone, blue: truth alone), or instead the
/// predictions of the other columns. Atomic.
void write_figure(const std::filesystem::path& path, const Report& report);

}  // namespace leaf::report
