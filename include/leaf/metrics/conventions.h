#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {

/// How a tool scores images whose prediction or truth is empty, and how it averages.
struct Convention {
  const char* key;    ///< "nnunet"
  const char* title;  ///< "nnU-Net v2"
  const char* rule;   ///< in words
  double (*dice)(const Confusion& c);
  double (*iou)(const Confusion& c);
  /// The mean IoU is a mean over batches of this many images, in their order; 0: over images.
  std::int64_t iou_batch = 0;
  /// Of several classes the mean Dice and IoU are means over classes of their means over images;
  /// else means over images of their means over classes.
  bool classes_last = false;
};

/// All conventions; ours, which every file has unless another is asked for, is the first.
const std::vector<Convention>& all_conventions();

/// Throws ConfigError for a name that is not in the table.
const Convention& find_convention(std::string_view key);

/// Replaces Dice and IoU by what the convention makes of the images' counts.
void apply_convention(const Convention& convention, std::vector<ImageScore>& scores);

/// What a convention makes of the same images.
struct ConventionScores {
  const Convention* convention;
  double dice = kUndefined;  ///< means
  double iou = kUndefined;
  std::int64_t left_out = 0;  ///< images that do not count in the mean Dice
};

/// One row per convention, in the order of the table.
std::vector<ConventionScores> compare_conventions(const std::vector<ImageScore>& scores);

/// Whether the convention's means over these are mean_of_classes.
bool averages_classes_last(const Convention& convention, const std::vector<ImageScore>& scores);

/// The mean over classes of their means over images of the metric at that place of all_metrics();
/// undefined ones are left out.
double mean_of_classes(const std::vector<ImageScore>& scores, std::size_t metric);

/// The mean of the IoUs as the convention takes it; undefined ones are left out.
double mean_iou(const Convention& convention, const std::vector<double>& values);

/// For a terminal: a header and a line per convention.
std::string conventions_text(const std::vector<ConventionScores>& rows);

}  // namespace leaf::metrics
