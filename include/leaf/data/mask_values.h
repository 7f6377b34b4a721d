#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/mask_classes.h"
#include "leaf/data/pair.h"
#include "leaf/data/picture.h"

namespace leaf::data {

/// What a mask's values are taken from.
///   kGrey     the grey values; of a colour picture the largest channel (or green alone)
///   kPalette  the indices of a palette of colours; a palette of greys counts as grey values
///   kAlpha    the alpha channel, of a picture whose colour is the same everywhere
enum class MaskSource { kGrey, kPalette, kAlpha };

/// A mask's values as its file has them, one a pixel: nothing is scaled or lost.
struct MaskValues {
  at::Tensor values;  ///< [H,W]: kByte up to 8 bits, else kInt, of float files kFloat
  /// The value of white: 1, 3, 15 or 255 up to 8 bits, 65535 of 16 bits, 1 of float files. A deeper
  /// file that holds 0 and 255 alone is an 8-bit mask in a larger type: 255.
  double white = 255;
  MaskSource source = MaskSource::kGrey;
};

/// Which value of a colour mask counts.
///   kLargest  the largest of the three channels; of a palette of colours the index, unless the
///             picture uses no more of it than black and white
///   kGreen    green alone
///   kLabel    as kLargest, but the index of every palette that has a colour
enum class MaskChannel { kLargest, kGreen, kLabel };

/// Throws DataError for values that are not finite; `name` is the file's, for the message.
MaskValues mask_values(const Picture& picture, const std::string& name,
                       MaskChannel channel = MaskChannel::kLargest);

/// The values of a mask file as stored, [H,W]. Throws DataError as read_picture does.
at::Tensor read_mask(const std::filesystem::path& path);

/// A kind of thing to be said about masks.
///   kNoneAbove   values are there, none of them above the threshold: the target is empty
///   kSeveral     more values than background and target
///   kColours     different colours of one largest channel, which are told apart no more
///   kNoise       the threshold takes the noise of a lossy picture as target
///   kLabels      a label map with other values than 0, 128 and 255
///   kTurned      a label map whose target reaches the border or fills half of the picture
///   kBorder      the target lies along most of the border
///   kAlpha       an alpha channel that varies, but is not the mask
///   kPages       the file has several pages, of which the first is read
///   kEitherWay   a turned photograph's mask that fits as stored and as displayed
///   kPalette, kAlphaTaken  how the values were found
enum class MaskOddity {
  kNoneAbove,
  kSeveral,
  kColours,
  kNoise,
  kLabels,
  kTurned,
  kBorder,
  kAlpha,
  kPages,
  kEitherWay,
  kPalette,
  kAlphaTaken
};

struct MaskRemark {
  MaskOddity oddity;
  std::string file;  ///< "mask 'a.png'"
  std::string text;  ///< "holds the values 0, 1, ..."
};

/// How a mask is to be read.
struct MaskOptions {
  MaskRule rule = MaskRule::kThreshold;
  /// In terms of 8 bits: values above threshold / 255 of white are target; above 0, where it is 0.
  std::int64_t threshold = kMaskThreshold;
  /// Pixels of this value, the file's own, belong to neither side; kNoIgnoreValue: there are none.
  std::int64_t ignore_value = kNoIgnoreValue;
  /// Where they have values, these and nothing of the above make labels of a mask.
  MaskClasses classes;
  /// How messages name the threshold, its value 0, and the other setting.
  std::string threshold_name = "DataConfig::mask_threshold";
  std::string zero_threshold = "DataConfig::mask_threshold: 0";
  std::string ignore_name = "DataConfig::ignore_value";
  std::string classes_name = "DataConfig::classes";
};

/// A mask, read and understood; in the order of the stored pixels.
struct Mask {
  at::Tensor labels;   ///< uint8 [H,W], 0 on the background, else the class's place in the list
  at::Tensor ignored;  ///< uint8 [H,W], 1 where the value is to be ignored; undefined without any
  MaskValues values;
  int orientation = 1;  ///< the file's own, as EXIF numbers them
  std::vector<MaskRemark> remarks;
};

/// The one place where a picture becomes labels. Throws DataError, naming the file, for values that
/// are not finite and, where classes have values, for one that none of them has.
Mask interpret_mask(const Picture& picture, const std::string& name, const MaskOptions& options);

/// Reads a mask file; throws DataError also as read_picture does.
Mask load_mask(const std::filesystem::path& path, const MaskOptions& options);

/// The same mask, its pixels as displayed by a file of this orientation.
Mask turned(Mask mask, int orientation);

}  // namespace leaf::data
