#include "leaf/data/mask_values.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "mask_labels.h"
#include "mask_remarks.h"
#include "mask_samples.h"

namespace leaf::data {
namespace {

using Colour = std::array<std::uint8_t, 3>;

std::uint8_t brightness(const Colour& colour, MaskChannel channel) {
  return channel == MaskChannel::kGreen ? colour[1]
                                        : *std::max_element(colour.begin(), colour.end());
}

bool is_grey(const Colour& colour) { return colour[0] == colour[1] && colour[1] == colour[2]; }

/// A palette of greys, or black and white in a palette of colours: there is no doubt what is meant.
/// Labels of one file must mean the same in the next, which may use other colours of the palette.
bool has_grey_levels(const std::vector<Colour>& palette, const at::Tensor& indices,
                     MaskChannel channel) {
  if (channel == MaskChannel::kGreen || std::all_of(palette.begin(), palette.end(), is_grey)) {
    return true;
  }
  if (channel == MaskChannel::kLabel) {
    return false;
  }
  std::array<bool, 256> used{};
  const auto* index = indices.const_data_ptr<std::uint8_t>();
  std::for_each(index, index + indices.numel(), [&](std::uint8_t i) { used[i] = true; });
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const bool black_or_white = is_grey(palette[i]) && (palette[i][0] == 0 || palette[i][0] == 255);
    if (used[i] && !black_or_white) {
      return false;
    }
  }
  return true;
}

MaskValues palette_values(const Picture& picture, const at::Tensor& indices, MaskChannel channel) {
  if (!has_grey_levels(picture.palette, indices, channel)) {
    return {indices, 255, MaskSource::kPalette};
  }
  std::array<std::uint8_t, 256> table{};
  std::transform(picture.palette.begin(), picture.palette.end(), table.begin(),
                 [&](const Colour& colour) { return brightness(colour, channel); });
  const at::Tensor values = at::empty_like(indices);
  const auto* index = indices.const_data_ptr<std::uint8_t>();
  std::transform(index, index + indices.numel(), values.mutable_data_ptr<std::uint8_t>(),
                 [&](std::uint8_t i) { return table[i]; });
  return {values, 255, MaskSource::kGrey};
}

/// One value a pixel of samples [H,W,C], of which the first `colours` channels are the colour.
at::Tensor one_channel(const at::Tensor& samples, std::int64_t colours, MaskChannel channel) {
  const std::int64_t channels = samples.size(2);
  const at::Tensor values = at::empty({samples.size(0), samples.size(1)}, samples.scalar_type());
  with_samples(samples, [&](const auto* pixel) {
    using Value = std::remove_cvref_t<decltype(*pixel)>;
    auto* to = values.mutable_data_ptr<Value>();
    for (auto* const end = to + values.numel(); to != end; ++to, pixel += channels) {
      if (colours < 3) {
        *to = pixel[0];
      } else {
        *to = channel == MaskChannel::kGreen ? pixel[1]
                                             : std::max(pixel[0], std::max(pixel[1], pixel[2]));
      }
    }
  });
  return values;
}

bool varies(const at::Tensor& channel) { return channel.ne(channel[0][0]).any().item<bool>(); }

bool alpha_varies(const Picture& picture) {
  return picture.alpha && varies(picture.samples.select(2, picture.samples.size(2) - 1));
}

bool colour_varies(const Picture& picture) {
  for (std::int64_t c = 0; c < picture.samples.size(2) - 1; ++c) {
    if (varies(picture.samples.select(2, c))) {
      return true;
    }
  }
  return false;
}

/// Greys of fewer than 8 bits, which readers spread over 0 to 255, as the file has them.
MaskValues unspread(const at::Tensor& values, std::int64_t bits) {
  const int white = (1 << bits) - 1;
  const auto own_of = [&](std::uint8_t v) { return (v * white + 127) / 255; };
  const auto is_spread = [&](std::uint8_t v) { return (own_of(v) * 255 + white / 2) / white == v; };
  const auto* first = values.const_data_ptr<std::uint8_t>();
  const auto* last = first + values.numel();
  if (!std::all_of(first, last, is_spread)) {
    return {values, 255, MaskSource::kGrey};
  }
  const at::Tensor own = at::empty_like(values);
  std::transform(first, last, own.mutable_data_ptr<std::uint8_t>(),
                 [&](std::uint8_t v) { return static_cast<std::uint8_t>(own_of(v)); });
  return {own, static_cast<double>(white), MaskSource::kGrey};
}

bool black_and_white_of_8_bits(const at::Tensor& values) {
  bool result = true;
  with_samples(values, [&](const auto* value) {
    result = std::all_of(value, value + values.numel(), [](auto v) { return v == 0 || v == 255; });
  });
  return result;
}

MaskValues grey_values(const at::Tensor& values, const Picture& picture) {
  if (values.scalar_type() == at::kByte) {
    return picture.bits < 8 && picture.palette.empty() ? unspread(values, picture.bits)
                                                       : MaskValues{values, 255, MaskSource::kGrey};
  }
  return {values, black_and_white_of_8_bits(values) ? 255 : white_of(picture), MaskSource::kGrey};
}

void require_finite_values(const at::Tensor& values, const std::string& name) {
  if (values.scalar_type() == at::kFloat && !at::isfinite(values).all().item<bool>()) {
    throw DataError(str("mask '", name, "' holds values that are not finite; replace them"));
  }
}

at::Tensor target_of(const MaskValues& mask, const MaskOptions& options) {
  const at::Tensor target = at::empty(mask.values.sizes(), at::kByte);
  auto* to = target.mutable_data_ptr<std::uint8_t>();
  const double cut = static_cast<double>(options.threshold) * mask.white / 255;
  const bool zero = options.rule == MaskRule::kZeroIsTarget;
  with_samples(mask.values, [&](const auto* value) {
    using Value = std::remove_cvref_t<decltype(*value)>;
    std::transform(value, value + target.numel(), to, [&](Value v) -> std::uint8_t {
      return zero ? v == Value{0} : static_cast<double>(v) > cut;
    });
  });
  return target;
}

MaskChannel channel_of(const MaskOptions& options) {
  if (options.classes.by_value()) {
    return MaskChannel::kLabel;
  }
  return options.rule == MaskRule::kGreenChannel ? MaskChannel::kGreen : MaskChannel::kLargest;
}

/// Takes the pixels to be ignored out of the target; undefined when there are none.
at::Tensor take_ignored(const at::Tensor& target, const MaskValues& mask, std::int64_t value) {
  const bool fits = mask.values.scalar_type() != at::kByte || value <= 255;  // else it would wrap
  if (value == kNoIgnoreValue || !fits) {
    return {};
  }
  const at::Tensor ignored = mask.values.eq(value);
  if (!ignored.any().item<bool>()) {
    return {};
  }
  target.masked_fill_(ignored, 0);
  return ignored.to(at::kByte);
}

}  // namespace

MaskValues mask_values(const Picture& picture, const std::string& name, MaskChannel channel) {
  const std::int64_t colours = picture.samples.size(2) - (picture.alpha ? 1 : 0);
  if (alpha_varies(picture) && !colour_varies(picture)) {
    MaskValues result = grey_values(picture.samples.select(2, colours).contiguous(), picture);
    result.source = MaskSource::kAlpha;
    return result;
  }
  const at::Tensor values = one_channel(picture.samples.contiguous(), colours, channel);
  require_finite_values(values, name);
  return picture.palette.empty() ? grey_values(values, picture)
                                 : palette_values(picture, values, channel);
}

at::Tensor read_mask(const std::filesystem::path& path) {
  return mask_values(read_picture(path), path.string()).values;
}

Mask interpret_mask(const Picture& picture, const std::string& name, const MaskOptions& options) {
  Mask mask;
  mask.orientation = picture.geometry.orientation;
  mask.values = mask_values(picture, name, channel_of(options));
  if (options.classes.by_value()) {
    add_labels(mask, picture, name, options);
  } else {
    mask.labels = target_of(mask.values, options);
    mask.ignored = take_ignored(mask.labels, mask.values, options.ignore_value);
  }
  mask.remarks = remarks_on(mask, picture, options);
  if (alpha_varies(picture) && mask.values.source != MaskSource::kAlpha) {
    mask.remarks.push_back({MaskOddity::kAlpha, "",
                            "has an alpha channel that varies; its colour "
                            "is the mask, alpha is left out"});
  }
  for (MaskRemark& remark : mask.remarks) {
    remark.file = str("mask '", name, "'");
  }
  return mask;
}

Mask load_mask(const std::filesystem::path& path, const MaskOptions& options) {
  return interpret_mask(read_picture(path), path.string(), options);
}

Mask turned(Mask mask, int orientation) {
  for (at::Tensor* pixels : {&mask.labels, &mask.ignored, &mask.values.values}) {
    if (pixels->defined()) {
      *pixels = apply_orientation(*pixels, orientation);
    }
  }
  return mask;
}

}  // namespace leaf::data
