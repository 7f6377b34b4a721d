#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"
#include "picture_bytes.h"
#include "picture_levels.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

constexpr double kWhite = 255;

/// Calls `use` with a pointer to the samples, in their own type.
template <typename Use>
auto with_samples(const Picture& picture, const Use& use) {
  switch (picture.samples.scalar_type()) {
    case at::kByte:
      return use(picture.samples.const_data_ptr<std::uint8_t>());
    case at::kInt:
      return use(picture.samples.const_data_ptr<std::int32_t>());
    default:
      return use(picture.samples.const_data_ptr<float>());
  }
}

std::int64_t colours_of(const Picture& picture) {
  return picture.samples.size(2) - (picture.alpha ? 1 : 0);
}

/// Grey or RGB, perhaps with alpha, -> uint8 [H,W,3]; `grey_level` makes a byte of a sample.
template <typename Level>
at::Tensor map_samples(const Picture& picture, const Level& grey_level) {
  at::Tensor rgb = at::empty({picture.samples.size(0), picture.samples.size(1), 3}, at::kByte);
  auto* to = rgb.mutable_data_ptr<std::uint8_t>();
  auto* const end = to + rgb.numel();
  const std::int64_t step = picture.samples.size(2);
  const bool colour = colours_of(picture) == 3;
  with_samples(picture, [&](const auto* pixel) {
    for (; to != end; to += 3, pixel += step) {
      to[0] = grey_level(pixel[0]);
      to[1] = colour ? grey_level(pixel[1]) : to[0];
      to[2] = colour ? grey_level(pixel[2]) : to[0];
    }
  });
  return rgb;
}

Picture with_colours(Picture picture) {
  if (picture.palette.empty()) {
    return picture;
  }
  std::array<std::array<std::uint8_t, 3>, 256> colours{};
  std::copy(picture.palette.begin(), picture.palette.end(), colours.begin());
  const at::Tensor indices = std::move(picture.samples);
  picture.samples = at::empty({indices.size(0), indices.size(1), 3}, at::kByte);
  auto* to = picture.samples.mutable_data_ptr<std::uint8_t>();
  const auto* index = indices.const_data_ptr<std::uint8_t>();
  for (const auto* end = index + indices.numel(); index != end; ++index, to += 3) {
    std::copy_n(colours[*index].begin(), 3, to);
  }
  picture.palette.clear();
  return picture;
}

/// Black at low, white at high, linear in between.
at::Tensor stretch(const Picture& picture, ValueSpan span) {
  const double factor = span.high > span.low ? kWhite / (span.high - span.low) : 0;
  return map_samples(picture, [=](auto sample) {
    const double level = (static_cast<double>(sample) - span.low) * factor;
    return static_cast<std::uint8_t>(std::clamp(level, 0.0, kWhite) + 0.5);
  });
}

/// Levels as the file wants them.
at::Tensor follow(const Picture& picture, const DisplayCurve& curve) {
  const auto last = static_cast<double>(curve.levels.size() - 1);
  const double scale = curve.high > curve.low ? last / (curve.high - curve.low) : 0;
  return map_samples(picture, [&](auto sample) {
    const double value = static_cast<double>(sample);
    double place = std::clamp((value - curve.low) * scale, 0.0, last);
    if (scale == 0) {  // a step
      place = value > curve.low ? last : 0;
    }
    const auto below = static_cast<std::size_t>(place);
    const double level = curve.levels[below];
    const double next = curve.levels[std::min(below + 1, curve.levels.size() - 1)];
    return static_cast<std::uint8_t>(level + (next - level) * (place - std::floor(place)) + 0.5);
  });
}

/// 12 significant bits in 16, as CT, MR and X-ray pictures have them, come out nearly black.
void warn_about_narrow_span(ValueSpan span, double white, const std::string& name) {
  constexpr double kTenth = 0.1;
  if (span.high > span.low && span.high - span.low < kTenth * white) {
    log::warn_once(
        "narrow span",
        str("image '", name, "' uses the values ", span.low, " to ", span.high, " of ", white,
            ": it comes out nearly uniform; train with DataConfig::intensity: range"));
  }
}

/// Integers of more than 8 bits lose their low bits. libtiff rounds 16-bit colours instead, which
/// has been leaf's way with them.
at::Tensor shorten(const Picture& picture) {
  const bool rounds =
      picture.format == PictureFormat::kTiff && colours_of(picture) == 3 && picture.bits == 16;
  if (rounds) {
    return map_samples(picture, [](auto sample) {
      return static_cast<std::uint8_t>((static_cast<std::int32_t>(sample) + 128) / 257);
    });
  }
  const auto shift = static_cast<int>(picture.bits - 8);
  return map_samples(picture, [shift](auto sample) {
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(sample) >> shift);
  });
}

[[noreturn]] void refuse_span(ValueSpan span, double white, const std::string& name) {
  fail_to_read(
      name,
      str("its values reach from ", span.low, " to ", span.high, ", beyond 0 to ", white,
          "; train with DataConfig::intensity: range, or window with Intensity::low and high"));
}

at::Tensor full_range(const Picture& picture, const std::string& name) {
  if (picture.shown) {
    value_span(picture, name);  // refuses what is not finite
    return follow(picture, *picture.shown);
  }
  if (picture.samples.scalar_type() == at::kByte) {
    return picture.samples.size(2) == 3 && !picture.alpha
               ? picture.samples
               : map_samples(picture,
                             [](auto sample) { return static_cast<std::uint8_t>(sample); });
  }
  const ValueSpan span = value_span(picture, name);
  const double white = white_of(picture);
  if (span.low < 0 || span.high > white) {
    refuse_span(span, white, name);
  }
  if (picture.samples.scalar_type() == at::kFloat || picture.bits < 8) {
    return stretch(picture, {0, white});
  }
  warn_about_narrow_span(span, white, name);
  return shorten(picture);
}

at::Tensor to_rgb(const Picture& stored, const Intensity& intensity, const std::string& name) {
  const Picture picture = with_colours(stored);
  switch (intensity.rule) {
    case IntensityRule::kFull:
      return full_range(picture, name);
    case IntensityRule::kRange:
      return stretch(picture, value_span(picture, name));
    default:
      value_span(picture, name);  // refuses what is not finite
      return stretch(picture, {intensity.low, intensity.high});
  }
}

}  // namespace

ValueSpan value_span(const Picture& picture, const std::string& name) {
  const std::int64_t step = picture.samples.size(2);
  const std::int64_t colours = colours_of(picture);
  return with_samples(picture, [&](const auto* pixel) {
    auto low = *pixel;
    auto high = *pixel;
    bool finite = true;
    for (const auto* end = pixel + picture.samples.numel(); pixel != end; pixel += step) {
      for (std::int64_t c = 0; c < colours; ++c) {
        low = std::min(low, pixel[c]);
        high = std::max(high, pixel[c]);
        finite = finite && std::isfinite(static_cast<double>(pixel[c]));
      }
    }
    if (!finite) {
      fail_to_read(name, "it holds values that are not finite; replace them");
    }
    return ValueSpan{static_cast<double>(low), static_cast<double>(high)};
  });
}

LoadedImage displayed_image(const Picture& picture, const Intensity& intensity,
                            const std::string& name) {
  if (picture.pages > 1) {
    log::warn_once("pages", str("image '", name, "' has ", picture.pages,
                                " pages, of which the first is taken; so it is with others"));
  }
  const int orientation = picture.geometry.orientation;
  return {apply_orientation(to_rgb(picture, intensity, name), orientation), orientation};
}

LoadedImage read_image(const fs::path& path, const ImageOptions& options) {
  return name_memory_errors(path.string(), [&] {
    return displayed_image(read_picture(path, options.limits), options.intensity, path.string());
  });
}

LoadedImage decode_image(std::string_view bytes, const std::string& name,
                         const ImageOptions& options) {
  return name_memory_errors(name, [&] {
    return displayed_image(decode_picture(bytes, name, options.limits), options.intensity, name);
  });
}

}  // namespace leaf::data
