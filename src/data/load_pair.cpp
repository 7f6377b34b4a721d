#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/dataset.h"
#include "leaf/data/exif.h"

namespace leaf::data {
namespace {

using Histogram = std::array<std::int64_t, 256>;

/// Replaces every value of `mask` by 1 (target) or 0 and returns how often each value stood there.
Histogram apply_rule(at::Tensor& mask, MaskRule rule, std::int64_t threshold) {
  Histogram counts{};
  auto* value = mask.mutable_data_ptr<std::uint8_t>();
  for (const auto* end = value + mask.numel(); value != end; ++value) {
    ++counts[*value];
    const bool target = rule == MaskRule::kZeroIsTarget ? *value == 0 : *value > threshold;
    *value = target ? 1 : 0;
  }
  return counts;
}

/// "0, 1, 128, ..." : the values that occur, the first few of them.
std::string values_text(const Histogram& counts) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> values;
  for (std::size_t value = 0; value < counts.size(); ++value) {
    if (counts[value] > 0 && values.size() <= kShown) {
      values.push_back(values.size() == kShown ? "..." : std::to_string(value));
    }
  }
  return join(values, ", ");
}

/// A mask that is to be thresholded should be black and white, but for the edges that an
/// anti-aliased drawing or JPEG leaves.
std::string threshold_warning(const Pair& pair, const Histogram& counts, std::int64_t threshold) {
  constexpr double kEdgeShare = 0.05;
  constexpr std::size_t kNear = 32;
  std::int64_t total = 0;
  std::int64_t above = 0;
  std::int64_t grey = 0;
  for (std::size_t value = 0; value < counts.size(); ++value) {
    total += counts[value];
    above += static_cast<std::int64_t>(value) > threshold ? counts[value] : 0;
    grey += value > kNear && value < counts.size() - 1 - kNear ? counts[value] : 0;
  }
  const std::string found =
      str("mask '", pair.mask.string(), "' holds the values ", values_text(counts));
  if (above == 0 && counts.front() < total) {
    return str(found, ", none above data.mask_threshold ", threshold,
               ": its target is EMPTY; set data.mask_threshold: 0 if every value but 0 is target");
  }
  const bool labels = threshold == 0 && counts.back() == 0;  // 0/1 masks, taken as such
  if (!labels && static_cast<double>(grey) > kEdgeShare * static_cast<double>(total)) {
    return str(found, "; values above data.mask_threshold ", threshold,
               " become target: check that this is meant");
  }
  return "";
}

std::string label_map_warning(const Pair& pair, const Histogram& counts) {
  constexpr std::size_t kDisc = 128;
  for (std::size_t value = 1; value < counts.size() - 1; ++value) {
    if (value != kDisc && counts[value] > 0) {
      return str("label map '", pair.mask.string(), "' holds the values ", values_text(counts),
                 "; expected 0 (cup), 128 (disc) and 255 (background)");
    }
  }
  return "";
}

std::string size_text(ImageSize size) { return str(size.width, "x", size.height); }

/// Brings a mask into the displayed orientation of its image.
at::Tensor fit_mask(const at::Tensor& mask, const LoadedImage& image, const Pair& pair) {
  const at::Tensor turned = apply_orientation(mask, image.exif_orientation);
  const ImageSize wanted = size_of(image.rgb);
  if (size_of(turned) == wanted) {
    return turned;
  }
  if (size_of(mask) == wanted) {
    return mask;
  }
  throw DataError(str("mask '", pair.mask.string(), "' is ", size_text(size_of(mask)),
                      " but its image '", pair.image.string(), "' is ", size_text(wanted),
                      "; resize one of them or pair the right files"));
}

}  // namespace

LoadedPair load_pair(const Pair& pair, const DataConfig& config) {
  LoadedPair loaded;
  loaded.image = read_image(pair.image, {.intensity = config.intensity, .limits = {}});
  const bool green = pair.rule == MaskRule::kGreenChannel;
  const at::Tensor mask = read_mask(pair.mask, green ? MaskChannel::kGreen : MaskChannel::kLargest);
  loaded.target = fit_mask(mask, loaded.image, pair);
  const Histogram counts = apply_rule(loaded.target, pair.rule, config.mask_threshold);
  loaded.mask_warning = pair.rule == MaskRule::kZeroIsTarget
                            ? label_map_warning(pair, counts)
                            : threshold_warning(pair, counts, config.mask_threshold);
  return loaded;
}

}  // namespace leaf::data
