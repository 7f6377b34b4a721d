#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "data/readers/reader.h"
#include "display.h"
#include "frame_picture.h"
#include "lookup_table.h"

namespace leaf::data::dicom {
namespace {

/// From stored values to what they mean: a table, or slope and intercept.
struct Scale {
  std::optional<LookupTable> table;
  double slope = 1;
  double intercept = 0;

  /// Whole numbers stay whole ones of 32 bits.
  bool is_whole(const PixelLayout& layout) const {
    constexpr double kFar = 1 << 30;
    return table || (slope == 1 && intercept == std::trunc(intercept) &&
                     std::abs(intercept) < kFar && layout.stored <= 30);
  }
};

Scale find_scale(DcmDataset& data_set, std::int64_t frame, bool is_signed) {
  Scale scale;
  DcmItem* modality = nullptr;
  if (data_set.findAndGetSequenceItem(DCM_ModalityLUTSequence, modality).good()) {
    scale.table = find_table(*modality, DCM_LUTDescriptor, DCM_LUTData, is_signed);
  }
  if (!scale.table) {
    DcmItem& item = group_of(data_set, DCM_PixelValueTransformationSequence, frame);
    scale.slope = number(item, DCM_RescaleSlope).value_or(1);
    scale.intercept = number(item, DCM_RescaleIntercept).value_or(0);
  }
  return scale;
}

/// Fills samples of type T by `meaning` of each stored value.
template <typename T, typename Meaning>
void fill(const StoredFrame& stored, at::ScalarType type, const Meaning& meaning,
          Picture& picture) {
  const PixelLayout& layout = stored.layout();
  picture.samples = new_samples(layout.height, layout.width, 1, type);
  T* to = picture.samples.mutable_data_ptr<T>();
  stored.each([&](std::int64_t i, std::int64_t value) { to[i] = static_cast<T>(meaning(value)); });
}

}  // namespace

void read_grey(const StoredFrame& stored, DcmDataset& data_set, std::int64_t frame,
               Picture& picture) {
  const PixelLayout& layout = stored.layout();
  const Scale scale = find_scale(data_set, frame, layout.is_signed);
  const std::int64_t lowest = scale.table ? 0 : layout.lowest();
  const std::int64_t highest =
      scale.table ? static_cast<std::int64_t>(scale.table->white()) : layout.highest();
  picture.bits = scale.table
                     ? scale.table->bits
                     : std::max<std::int64_t>(1, layout.stored - (layout.is_signed ? 1 : 0));
  const double least = std::min(scale.slope * static_cast<double>(lowest),
                                scale.slope * static_cast<double>(highest)) +
                       scale.intercept;
  picture.shown = find_display(data_set, frame, layout.is_signed || least < 0);
  const bool dark_is_large = layout.photometric == "MONOCHROME1";
  const double sum = scale.slope * static_cast<double>(lowest + highest) + 2 * scale.intercept;
  if (dark_is_large && picture.shown) {
    picture.shown = mirrored(*picture.shown, sum);
  }
  const auto whole = [&](std::int64_t value) {
    const std::int64_t meant =
        (scale.table ? scale.table->at(value) : value) + static_cast<std::int64_t>(scale.intercept);
    return dark_is_large ? static_cast<std::int64_t>(sum) - meant : meant;
  };
  const auto fraction = [&](std::int64_t value) {
    const double meant = static_cast<double>(value) * scale.slope + scale.intercept;
    return dark_is_large ? sum - meant : meant;
  };
  const bool is_byte = lowest == 0 && picture.bits <= 8 && scale.intercept == 0 &&
                       (picture.bits == 8 || !picture.shown);
  if (!scale.is_whole(layout)) {
    fill<float>(stored, at::kFloat, fraction, picture);
  } else if (is_byte) {
    fill<std::uint8_t>(stored, at::kByte, whole, picture);
    if (picture.bits < 8) {
      spread_to_bytes(picture.samples, highest);
    }
  } else {
    fill<std::int32_t>(stored, at::kInt, whole, picture);
  }
}

}  // namespace leaf::data::dicom
