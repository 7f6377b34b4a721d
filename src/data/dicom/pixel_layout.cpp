#include "pixel_layout.h"

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

std::int64_t required(DcmDataset& data_set, const DcmTagKey& tag) {
  const std::optional<std::int64_t> value = whole_number(data_set, tag);
  if (!value) {
    refuse_damaged(str("it does not state ", DcmTag(tag).getTagName()));
  }
  return *value;
}

void check_bits(const PixelLayout& layout) {
  const bool known = layout.allocated == 1 || layout.allocated == 8 || layout.allocated == 16 ||
                     layout.allocated == 32;
  if (!known) {
    refuse_unread(str("DICOM samples of ", layout.allocated, " bits"));
  }
  if (layout.stored < 1 || layout.stored > layout.allocated ||
      layout.high_bit + 1 < layout.stored || layout.high_bit >= layout.allocated) {
    refuse_damaged(str("it states ", layout.stored, " stored of ", layout.allocated,
                       " bits, the highest of which is bit ", layout.high_bit));
  }
}

void check_colours(const PixelLayout& layout) {
  const bool single = layout.is_grey() || layout.photometric == "PALETTE COLOR";
  if (layout.samples != (single ? 1 : 3)) {
    refuse_unread(str("DICOM pictures ", printable(layout.photometric), " of ", layout.samples,
                      " samples a pixel"));
  }
}

/// Samples that the file holds of a frame: in 4:2:2 two pixels share theirs of colour.
std::int64_t samples_of_frame(const PixelLayout& layout) {
  const std::int64_t of_pixel = layout.photometric == "YBR_FULL_422" ? 2 : layout.samples;
  return layout.width * layout.height * of_pixel;
}

}  // namespace

PixelLayout describe_pixels(DcmDataset& data_set, const PictureLimits& limits) {
  PixelLayout layout;
  layout.width = required(data_set, DCM_Columns);
  layout.height = required(data_set, DCM_Rows);
  check_size(layout.width, layout.height, limits);
  layout.frames = whole_number(data_set, DCM_NumberOfFrames).value_or(1);
  if (layout.frames < 1) {
    refuse_damaged(str("it states ", layout.frames, " frames"));
  }
  layout.samples = required(data_set, DCM_SamplesPerPixel);
  layout.allocated = required(data_set, DCM_BitsAllocated);
  layout.stored = required(data_set, DCM_BitsStored);
  layout.high_bit = whole_number(data_set, DCM_HighBit).value_or(layout.stored - 1);
  layout.is_signed = whole_number(data_set, DCM_PixelRepresentation).value_or(0) == 1;
  layout.planar = whole_number(data_set, DCM_PlanarConfiguration).value_or(0) == 1;
  layout.photometric = text(data_set, DCM_PhotometricInterpretation);
  check_bits(layout);
  check_colours(layout);
  return layout;
}

StoredFrame::StoredFrame(const PixelLayout& layout, std::string_view bytes, std::int64_t frame)
    : layout_(layout), bytes_(bytes), count_(samples_of_frame(layout)), first_(frame * count_) {
  const auto available = static_cast<std::int64_t>(bytes.size()) * 8 / layout.allocated;
  if (available / count_ <= frame) {
    refuse_damaged(str("its pixels take ", bytes.size(), " bytes, too few for ", frame + 1,
                       frame == 0 ? " frame" : " frames"));
  }
}

}  // namespace leaf::data::dicom
