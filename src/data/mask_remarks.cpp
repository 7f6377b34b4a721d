#include "mask_remarks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "leaf/core/strings.h"
#include "mask_counts.h"

namespace leaf::data {
namespace {

/// A mask's values in terms of 8 bits, and what its target makes of them.
struct Look {
  const ValueCounts& counts;
  const MaskValues& values;
  const MaskOptions& options;
  bool lossy;

  double in_8_bits(double value) const { return value * 255 / values.white; }
  double own(double in_8_bits) const { return in_8_bits * values.white / 255; }
  double smallest() const { return counts.of.empty() ? 0 : counts.of.begin()->first; }
  double largest() const { return counts.of.empty() ? 0 : counts.of.rbegin()->first; }
  bool has_white() const { return in_8_bits(largest()) > 255 - kNear; }
  /// The share of the pixels between two values of 8 bits.
  double share(double low, double high) const { return counts.share_between(own(low), own(high)); }

  /// Values this near to black and white are theirs: edges, noise.
  static constexpr double kNear = 32;
};

std::string holds(const Look& look) {
  return str(look.values.source == MaskSource::kPalette ? "holds the palette's indices "
                                                        : "holds the values ",
             look.counts.text());
}

/// "DataConfig::mask_threshold 128", and what that is in a deeper file.
std::string threshold_text(const Look& look) {
  std::string text = str(look.options.threshold_name, " ", look.options.threshold);
  if (look.values.white != 255 && look.options.threshold != 0) {
    text += str(" of 255 (here ", look.own(static_cast<double>(look.options.threshold)), ")");
  }
  return text;
}

/// Values that stand there on purpose, as far as a file without noise has few enough to tell.
std::vector<double> populated(const Look& look) {
  constexpr std::size_t kFew = 16;
  constexpr double kShare = 0.001;
  std::vector<double> values;
  if (look.lossy || look.counts.of.size() > kFew) {
    return values;
  }
  for (const auto& [value, count] : look.counts.of) {
    if (static_cast<double>(count) > kShare * static_cast<double>(look.counts.total)) {
      values.push_back(value);
    }
  }
  return values;
}

/// A label such as 1 beside 0 and a border of 255. What a drawing program or JPEG leaves lies
/// further from 0, or at both ends.
bool has_label_beside_white(const Look& look) {
  constexpr double kLargestLabel = 5;
  constexpr double kNoiseBelowWhite = 249;
  const auto values = populated(look);
  const auto any = [&](double low, double high) {
    return std::any_of(values.begin(), values.end(),
                       [&](double value) { return value > low && value < high; });
  };
  return any(0, kLargestLabel + 1) && !any(kNoiseBelowWhite, 255);
}

/// More than background and target: labels, or greys beyond those of soft edges.
bool has_several(const Look& look) {
  constexpr double kEdgeShare = 0.05;
  const bool grey = look.share(Look::kNear, 255 - Look::kNear) > kEdgeShare;
  if (look.has_white()) {
    return grey || (look.values.white == 255 && has_label_beside_white(look));
  }
  const bool uncounted = !look.lossy && populated(look).empty() && look.counts.of.size() > 2;
  return populated(look).size() > 2 || (look.options.threshold > 0 ? grey : uncounted);
}

std::optional<MaskRemark> threshold_remark(const Look& look) {
  const auto threshold = static_cast<double>(look.options.threshold);
  if (look.largest() <= look.own(threshold)) {
    if (look.largest() <= 0) {
      return std::nullopt;
    }
    return MaskRemark{
        MaskOddity::kNoneAbove, "",
        str(holds(look), ", none above ", threshold_text(look), ": its target is EMPTY; set ",
            look.options.zero_threshold, " if every value but 0 is target")};
  }
  if (has_several(look)) {
    return MaskRemark{MaskOddity::kSeveral, "",
                      str(holds(look), "; values above ", threshold_text(look),
                          " become target: check that this is meant; ", look.options.ignore_name,
                          " leaves one value out")};
  }
  const double noise = look.share(threshold, Look::kNear);
  if (noise > 0 && (look.lossy || (look.has_white() && look.counts.of.size() > 2))) {
    return MaskRemark{MaskOddity::kNoise, "",
                      str("has noise round 0, as JPEG leaves it, and ", threshold_text(look),
                          " takes it as target (", fixed(100 * noise, 2), " % of the pixels); ",
                          kMaskThreshold, " leaves it out")};
  }
  return std::nullopt;
}

/// How often each colour stands in a picture of 8 bits, (red, green, blue) as one number; empty for
/// more than a label map has.
std::map<std::uint32_t, std::int64_t> count_colours(const at::Tensor& samples) {
  constexpr std::size_t kMost = 64;
  const std::int64_t channels = samples.size(2);
  const at::Tensor dense = samples.contiguous();
  const auto* pixel = dense.const_data_ptr<std::uint8_t>();
  std::map<std::uint32_t, std::int64_t> counts;
  std::uint32_t last = 0;
  std::int64_t* count = &counts[last];
  for (const auto* end = pixel + dense.numel(); pixel != end; pixel += channels) {
    const std::uint32_t colour = pixel[0] << 16U | pixel[1] << 8U | pixel[2];
    if (colour != last) {
      last = colour;
      count = &counts[last];
      if (counts.size() > kMost) {
        return {};
      }
    }
    ++*count;
  }
  return counts;
}

/// Labels by hue, of which the largest channel tells less than the file.
std::optional<MaskRemark> colour_remark(const Picture& picture, const MaskOptions& options) {
  constexpr double kShare = 0.001;
  const std::int64_t colours = picture.samples.size(2) - (picture.alpha ? 1 : 0);
  if (options.rule != MaskRule::kThreshold || picture.lossy || colours < 3 ||
      picture.samples.scalar_type() != at::kByte) {
    return std::nullopt;
  }
  const auto pixels = static_cast<double>(picture.samples.size(0) * picture.samples.size(1));
  std::set<std::uint32_t> brightnesses;
  for (const auto& [colour, count] : count_colours(picture.samples)) {
    const std::uint32_t largest = std::max({colour >> 16U, colour >> 8U & 255U, colour & 255U});
    if (static_cast<double>(count) > kShare * pixels && !brightnesses.insert(largest).second) {
      return MaskRemark{MaskOddity::kColours, "",
                        str("holds several colours whose largest channel is ", largest,
                            ", which the mask's values do not tell apart: check that this is "
                            "meant")};
    }
  }
  return std::nullopt;
}

std::optional<MaskRemark> label_remark(const Look& look) {
  for (const auto& [value, count] : look.counts.of) {
    const double label = look.in_8_bits(value);
    if (label != 0 && label != 128 && label != 255) {
      return MaskRemark{
          MaskOddity::kLabels, "",
          str(holds(look), "; expected 0 (cup), 128 (disc) and 255 (background) of a label map")};
    }
  }
  return std::nullopt;
}

/// The share of the outermost pixels that are target.
double border_share(const at::Tensor& target) {
  const std::int64_t height = target.size(0);
  const std::int64_t width = target.size(1);
  const auto* pixel = target.const_data_ptr<std::uint8_t>();
  std::int64_t on = 0;
  std::int64_t all = 0;
  for (std::int64_t y = 0; y < height; ++y) {
    const bool whole_row = y == 0 || y == height - 1;
    const std::int64_t step = whole_row ? 1 : std::max<std::int64_t>(1, width - 1);
    for (std::int64_t x = 0; x < width; x += step) {
      on += pixel[y * width + x];
      ++all;
    }
  }
  return all == 0 ? 0 : static_cast<double>(on) / static_cast<double>(all);
}

double target_share(const at::Tensor& target) {
  const auto* begin = target.const_data_ptr<std::uint8_t>();
  const auto on = std::count(begin, begin + target.numel(), std::uint8_t{1});
  return static_cast<double>(on) / static_cast<double>(std::max<std::int64_t>(1, target.numel()));
}

std::optional<MaskRemark> place_remark(const Mask& mask, const MaskOptions& options) {
  constexpr double kMost = 0.75;
  const double border = border_share(mask.labels);
  if (options.rule != MaskRule::kThreshold && (border > 0 || target_share(mask.labels) > 0.5)) {
    return MaskRemark{MaskOddity::kTurned, "",
                      str("has a target that reaches the border or fills half of the picture, as "
                          "no cup does (",
                          fixed(100 * target_share(mask.labels), 1),
                          " % are target): check which value is the cup")};
  }
  if (options.rule == MaskRule::kThreshold && border > kMost) {
    return MaskRemark{MaskOddity::kBorder, "",
                      str("has its target along ", fixed(100 * border, 0),
                          " % of the border: check that target and background are not swapped")};
  }
  return std::nullopt;
}

std::optional<MaskRemark> source_remark(const Look& look) {
  switch (look.values.source) {
    case MaskSource::kPalette:
      return MaskRemark{MaskOddity::kPalette, "",
                        str("is a picture with a palette of colours; its values are the indices ",
                            look.counts.text(), ", not the colours' brightness")};
    case MaskSource::kAlpha:
      return MaskRemark{MaskOddity::kAlphaTaken, "",
                        "has the same colour everywhere; its alpha channel is the mask"};
    case MaskSource::kGrey:
      break;
  }
  return std::nullopt;
}

std::optional<MaskRemark> pages_remark(const Picture& picture) {
  if (picture.pages < 2) {
    return std::nullopt;
  }
  return MaskRemark{MaskOddity::kPages, "",
                    str("has ", picture.pages, " pages; the first is taken")};
}

}  // namespace

std::vector<MaskRemark> remarks_on(const Mask& mask, const Picture& picture,
                                   const MaskOptions& options) {
  const ValueCounts counts = count_values(mask);
  const Look look{counts, mask.values, options, picture.lossy};
  std::vector<MaskRemark> remarks;
  const auto say = [&](std::optional<MaskRemark> remark) {
    if (remark) {
      remarks.push_back(*std::move(remark));
    }
  };
  const bool by_threshold = !options.classes.by_value();
  if (by_threshold) {
    say(options.rule == MaskRule::kZeroIsTarget ? label_remark(look) : threshold_remark(look));
  }
  if (!options.classes.are_colours) {
    say(colour_remark(picture, options));
  }
  if (by_threshold) {
    say(place_remark(mask, options));
  }
  say(source_remark(look));
  say(pages_remark(picture));
  return remarks;
}

}  // namespace leaf::data
