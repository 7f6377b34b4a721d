#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "data/readers/reader.h"
#include "frame_picture.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "lookup_table.h"

namespace leaf::data::dicom {
namespace {

using Colour = std::array<std::uint8_t, 3>;

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5);
}

Colour rgb_of(const Colour& ybr) {
  const double y = ybr[0];
  const double blue = ybr[1] - 128.0;
  const double red = ybr[2] - 128.0;
  return {to_byte(y + 1.402 * red), to_byte(y - 0.344136 * blue - 0.714136 * red),
          to_byte(y + 1.772 * blue)};
}

void to_rgb(at::Tensor& samples) {
  auto* pixel = samples.mutable_data_ptr<std::uint8_t>();
  for (auto* const end = pixel + samples.numel(); pixel != end; pixel += 3) {
    const Colour rgb = rgb_of({pixel[0], pixel[1], pixel[2]});
    std::copy(rgb.begin(), rgb.end(), pixel);
  }
}

/// Samples pixel by pixel, whatever their order in the file.
template <typename T>
at::Tensor interleaved(const StoredFrame& stored, at::ScalarType type) {
  const PixelLayout& layout = stored.layout();
  at::Tensor samples = new_samples(layout.height, layout.width, 3, type);
  T* to = samples.mutable_data_ptr<T>();
  const std::int64_t pixels = layout.width * layout.height;
  stored.each([&](std::int64_t i, std::int64_t value) {
    const std::int64_t place = layout.planar ? i % pixels * 3 + i / pixels : i;
    to[place] = static_cast<T>(value);
  });
  return samples;
}

/// Two pixels share blue and red: Y, Y, Cb, Cr.
at::Tensor read_422(const StoredFrame& stored) {
  const PixelLayout& layout = stored.layout();
  if (layout.allocated != 8 || layout.width % 2 != 0) {
    refuse_unread(str("DICOM pictures YBR_FULL_422 of ", layout.allocated, " bits and ",
                      layout.width, " columns"));
  }
  at::Tensor samples = new_samples(layout.height, layout.width, 3, at::kByte);
  auto* to = samples.mutable_data_ptr<std::uint8_t>();
  stored.each([&](std::int64_t i, std::int64_t value) {
    std::uint8_t* const pair = to + i / 4 * 6;
    const auto byte = static_cast<std::uint8_t>(value);
    switch (i % 4) {
      case 0:
        pair[0] = byte;
        break;
      case 1:
        pair[3] = byte;
        break;
      case 2:
        pair[1] = pair[4] = byte;
        break;
      default:
        pair[2] = pair[5] = byte;
    }
  });
  return samples;
}

struct Palette {
  std::array<LookupTable, 3> tables;

  Colour at(std::int64_t value) const {
    Colour colour{};
    for (std::size_t c = 0; c < 3; ++c) {
      colour[c] = to_byte(tables[c].at(value) * 255.0 / tables[c].white());
    }
    return colour;
  }
};

Palette find_palette(DcmDataset& data_set, bool is_signed) {
  static const std::array<std::array<DcmTagKey, 2>, 3> kTags = {
      {{DCM_RedPaletteColorLookupTableDescriptor, DCM_RedPaletteColorLookupTableData},
       {DCM_GreenPaletteColorLookupTableDescriptor, DCM_GreenPaletteColorLookupTableData},
       {DCM_BluePaletteColorLookupTableDescriptor, DCM_BluePaletteColorLookupTableData}}};
  if (data_set.tagExists(DCM_SegmentedRedPaletteColorLookupTableData)) {
    refuse_unread("DICOM pictures with segmented palettes");
  }
  Palette palette;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto table = find_table(data_set, kTags[c][0], kTags[c][1], is_signed);
    if (!table) {
      refuse_damaged("it has no palette");
    }
    palette.tables[c] = *table;
  }
  return palette;
}

/// Indices of up to 8 bits stay indices, as masks want them.
void read_palette(const StoredFrame& stored, DcmDataset& data_set, Picture& picture) {
  const PixelLayout& layout = stored.layout();
  const Palette palette = find_palette(data_set, layout.is_signed);
  const bool keeps_indices = layout.stored <= 8 && !layout.is_signed;
  picture.bits = 8;
  picture.samples = new_samples(layout.height, layout.width, keeps_indices ? 1 : 3, at::kByte);
  auto* to = picture.samples.mutable_data_ptr<std::uint8_t>();
  if (!keeps_indices) {
    stored.each([&](std::int64_t i, std::int64_t value) {
      const Colour colour = palette.at(value);
      std::copy(colour.begin(), colour.end(), to + 3 * i);
    });
    return;
  }
  picture.bits = layout.stored;
  for (std::int64_t value = 0; value <= layout.highest(); ++value) {
    picture.palette.push_back(palette.at(value));
  }
  stored.each(
      [&](std::int64_t i, std::int64_t value) { to[i] = static_cast<std::uint8_t>(value); });
}

}  // namespace

void read_colours(const StoredFrame& stored, DcmDataset& data_set, Picture& picture) {
  const PixelLayout& layout = stored.layout();
  const std::string& kind = layout.photometric;
  if (kind == "PALETTE COLOR") {
    read_palette(stored, data_set, picture);
    return;
  }
  if (kind == "YBR_FULL_422") {
    picture.samples = read_422(stored);
    to_rgb(picture.samples);
    return;
  }
  const bool is_ybr = kind == "YBR_FULL";
  if ((kind != "RGB" && !is_ybr) || layout.is_signed || layout.stored > 16 ||
      (is_ybr && layout.stored != 8)) {
    refuse_unread(str("DICOM pictures ", printable(kind), " of ", layout.stored,
                      layout.is_signed ? " bits with a sign" : " bits"));
  }
  picture.bits = layout.stored;
  if (layout.stored > 8) {
    picture.samples = interleaved<std::int32_t>(stored, at::kInt);
    return;
  }
  picture.samples = interleaved<std::uint8_t>(stored, at::kByte);
  if (layout.stored < 8) {
    spread_to_bytes(picture.samples, layout.highest());
  }
  if (is_ybr) {
    to_rgb(picture.samples);
  }
}

}  // namespace leaf::data::dicom
