#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstdint>
#include <string>

#include "leaf/data/mask_classes.h"

namespace leaf {

/// The one place where masks become images of the latent model and back. Masks are label maps: 0 is
/// the background, k the k-th class beside it.
///
/// Two classes are black and white. Several are corners of the colour cube (ClassCoding::kColours):
/// of up to four no two share an edge, so that the blur between two classes is nearest to no third;
/// or each is a channel (kChannels).
class MaskCodec {
 public:
  explicit MaskCodec(const data::MaskClasses& classes)
      : classes_(static_cast<std::int64_t>(classes.list.size())), coding_(classes.coding) {}

  /// Label maps [N, 1, R, R] -> image [N, 3, R, R] in [0, 1].
  at::Tensor to_image(const at::Tensor& masks) const;

  /// Decoded image [N, 3, R, R] in [0, 1] -> probability [N, C, R, R] of each of the C classes
  /// beside the background. Of two classes the mean of the channels. Of colours a softmax over the
  /// squared distances, by which the nearest is the most probable and whatever is missing to 1 is
  /// background. Of channels the channel, and no more than the one that it lies in.
  at::Tensor to_probability(const at::Tensor& image) const;

  /// Probability [..., C, H, W] -> label map uint8 [..., H, W]: the most probable of colours;
  /// where channels, or the foreground of two classes, exceed the threshold.
  at::Tensor to_labels(const at::Tensor& probability, double threshold) const;

  /// Probability [..., C, H, W] -> that of any class beside the background [..., H, W].
  at::Tensor target(const at::Tensor& probability) const;

  /// C: how many probabilities a pixel has.
  std::int64_t channels() const { return classes_ - 1; }

  /// The image's colour of a label, 0 or 1 each: red, green, blue.
  std::array<bool, 3> colour(std::int64_t label) const;

 private:
  at::Tensor nearness(const at::Tensor& image) const;

  std::int64_t classes_;
  data::ClassCoding coding_;
};

/// Values [N, ...], each sample of them all NaN where one of its own is not finite: clamping makes
/// an infinity a number like others.
at::Tensor spread_not_finite(const at::Tensor& values);

/// Throws DataError, naming the image, where its probability is not finite.
void require_finite(const at::Tensor& probability, const std::string& name);

}  // namespace leaf
