#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/data/intensity.h"
#include "leaf/data/mask_classes.h"
#include "leaf/data/slice_axis.h"

namespace leaf::data {

/// How the pairs that a data set does not split itself are divided.
///   kRandom    a seeded shuffle of the sorted list
///   kTail      no shuffle: the first part trains, then validation, then test
///   kGroups    whole groups (`groups` file) stay together: the last groups validate and test
///   kManifest  as listed in the `manifest` file (a split.csv of an earlier run)
///   kPublished the reference's protocol: its train part, and validation = test
///   kNnunet    a fold of nnU-Net's `splits_final.json` trains and validates
/// All slices of a volume are in one part.
enum class SplitStrategy { kRandom, kTail, kGroups, kManifest, kPublished, kNnunet };
inline EnumNames<SplitStrategy> enum_names(SplitStrategy /*tag*/) {
  return {{SplitStrategy::kRandom, "random"},       {SplitStrategy::kTail, "tail"},
          {SplitStrategy::kGroups, "groups"},       {SplitStrategy::kManifest, "manifest"},
          {SplitStrategy::kPublished, "published"}, {SplitStrategy::kNnunet, "nnunet"}};
}

struct SplitConfig {
  SplitStrategy strategy = SplitStrategy::kRandom;
  /// Parts as fractions of all pairs (below 1) or as counts (1 and above).
  double validation = 0.1;
  double test = 0.1;
  /// kManifest: CSV with the columns image,mask,split.
  std::filesystem::path manifest;
  /// kGroups: CSV whose first column is the image's name without extension, second its group.
  std::filesystem::path groups;
  /// kNnunet: the JSON file, and which of its folds, from 0.
  std::filesystem::path folds;
  std::int64_t fold = 0;

  bool operator==(const SplitConfig&) const = default;
};

/// Grey values of a mask above this (not equal to it) are foreground, unless something else is
/// asked for.
inline constexpr std::int64_t kMaskThreshold = 128;

/// Says that no value of a mask is to be ignored.
inline constexpr std::int64_t kNoIgnoreValue = -1;

/// Whose pixels those of a mask are, where the image is a turned photograph (EXIF).
///   kAuto       the stored ones, unless its size fits the displayed image alone
///   kStored     those of the image as stored: the mask is turned with it
///   kDisplayed  those of the image as a viewer shows it
enum class MaskOrientation { kAuto, kStored, kDisplayed };
inline EnumNames<MaskOrientation> enum_names(MaskOrientation /*tag*/) {
  return {{MaskOrientation::kAuto, "auto"},
          {MaskOrientation::kStored, "stored"},
          {MaskOrientation::kDisplayed, "displayed"}};
}

/// What is cut out of image and mask before anything else.
///   kNone  nothing, the whole picture is used
///   kDisc  the square round the optic disc of a label map
enum class Crop { kNone, kDisc };
inline EnumNames<Crop> enum_names(Crop /*tag*/) {
  return {{Crop::kNone, "none"}, {Crop::kDisc, "disc"}};
}

/// Random changes of training samples beyond mirroring; none by default. Each draws anew for every
/// sample of every step, uniformly.
struct Augmentation {
  /// Probability of a turn by 90, 180 or 270 degrees, of image and mask.
  double quarter_turns = 0;
  /// Range of factors by which image and mask are enlarged, about a random place; 0 and 0: never.
  double scale_low = 0;
  double scale_high = 0;
  /// Largest change of the image's values, 0 to 1, and of their distance from their mean, a share.
  double brightness = 0;
  double contrast = 0;
  /// Largest turn of the image's hues, as a share of the colour circle.
  double hue = 0;
  /// Largest standard deviations: of a Gaussian blur, in pixels of the model's square, and of
  /// noise, of values from 0 to 1.
  double blur = 0;
  double noise = 0;

  bool scales() const { return scale_high > 0; }
  /// No sample ever comes twice: it is changed by a number, not by one of a few turns.
  bool is_continuous() const {
    return scales() || brightness > 0 || contrast > 0 || hue > 0 || blur > 0 || noise > 0;
  }
};

/// Which images and masks, and how they become tensors.
struct DataConfig {
  /// folder | cvc-clinicdb | isic2018 | qata-cov19 | refuge2 | nnunet
  std::string dataset = "folder";
  /// The folder that the data set lies in.
  std::filesystem::path root;
  /// `folder` only: sub-folders of root, and what a mask's name has beyond its image's name.
  std::string images = "images";
  std::string masks = "masks";
  std::string mask_prefix;
  std::string mask_suffix;
  SplitConfig split;
  /// Side in pixels of the square that images are resized to.
  std::int64_t resolution = 256;
  /// How the values of images become grey levels.
  Intensity intensity;
  /// Grey values above this are foreground: in terms of 8 bits, deeper files in proportion.
  std::int64_t mask_threshold = kMaskThreshold;
  /// Pixels of this value, the file's own, are background in training and left out of scores.
  std::int64_t ignore_value = kNoIgnoreValue;
  /// Where they have values, these are what masks are read by.
  MaskClasses classes;
  MaskOrientation mask_orientation = MaskOrientation::kAuto;
  /// How volumes are cut into slices.
  SliceAxis slice_axis = SliceAxis::kAuto;
  Crop crop = Crop::kNone;
  /// What a crop has beyond the disc on each side, as a multiple of the disc's longer side.
  double crop_margin = 0.5;
  /// Probabilities, in training.
  double horizontal_flip = 0.5;
  double vertical_flip = 0.5;
  Augmentation augment;
  /// Threads that decode ahead of training; 0 decodes in its own.
  std::int64_t num_workers = 2;
  /// Keep decoded, resized images in memory up to this many megabytes (0: decode every time).
  std::int64_t cache_mb = 1024;
};

/// Values of fields that cannot be, or not together.
struct FieldProblem {
  std::vector<std::string> fields;  ///< that it can be solved with: "SplitConfig::test"
  std::string message;
};

/// Takes the classes that a data set itself states, in nnU-Net's dataset.json, where that file is
/// there; others stay. Throws DataError for classes that are not learned here.
void take_stated_classes(DataConfig& config);

/// What is wrong with how the pairs are to be divided, as far as the files do not matter.
std::optional<FieldProblem> find_split_problem(const DataConfig& config);

}  // namespace leaf::data
