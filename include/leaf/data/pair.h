#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"

namespace leaf::data {

/// A part of a data set; the names are the words of split.csv and --split.
enum class Split { kTrain, kValidation, kTest };
inline EnumNames<Split> enum_names(Split /*tag*/) {
  return {{Split::kTrain, "train"}, {Split::kValidation, "validation"}, {Split::kTest, "test"}};
}

/// How the grey values of a mask file become target (1) and background (0).
///   kThreshold     the largest channel above data.mask_threshold
///   kZeroIsTarget  a label map whose value 0 is the target
///   kGreenChannel  an RGB mask whose green channel above data.mask_threshold is the target
enum class MaskRule { kThreshold, kZeroIsTarget, kGreenChannel };

/// An image and its mask, or a slice of either where both are volumes (volume.h).
struct Pair {
  std::filesystem::path image;
  std::filesystem::path mask;
  /// Path of the image below its folder of images, without extension, and "#" and the number of a
  /// slice: the image's identity.
  std::string name;
  MaskRule rule = MaskRule::kThreshold;
  std::optional<std::int64_t> slice{};
};

/// What a data set consists of. `own_test` is the test part that the data set itself lays down; it
/// is empty for those that leave the division to their users. Both are in natural order of their
/// names.
///
/// Volumes are not cut into slices yet: they are divided as a whole.
struct PairList {
  std::vector<Pair> pairs;
  std::vector<Pair> own_test;
};

}  // namespace leaf::data
