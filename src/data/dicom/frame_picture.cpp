#include "frame_picture.h"

#include <array>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

/// Distances between pixels: those in the patient, or else those on a detector or a scanned film.
void read_spacing(DcmDataset& data_set, std::int64_t frame, PictureGeometry& geometry) {
  DcmItem& measures = group_of(data_set, DCM_PixelMeasuresSequence, frame);
  const std::array<std::pair<DcmItem*, DcmTagKey>, 3> places = {
      {{&measures, DCM_PixelSpacing},
       {&data_set, DCM_ImagerPixelSpacing},
       {&data_set, DCM_NominalScannedPixelSpacing}}};
  for (const auto& [item, tag] : places) {
    const auto spacing = numbers(*item, tag, 2);
    if (spacing && spacing->front() > 0 && spacing->back() > 0) {
      geometry.row_spacing = spacing->front();
      geometry.column_spacing = spacing->back();
      return;
    }
  }
}

}  // namespace

bool is_lossy(DicomFile& file) {
  switch (file.transfer_syntax().getXfer()) {
    case EXS_JPEGProcess1:
    case EXS_JPEGProcess2_4:
    case EXS_JPEGLSLossy:
      return true;
    case EXS_JPEG2000:  // with or without loss
      return text(file.data_set(), DCM_LossyImageCompression) != "00";
    default:
      return text(file.data_set(), DCM_LossyImageCompression) == "01";
  }
}

Picture read_frame(DicomFile& file, std::int64_t frame, bool first_frame_only,
                   const PictureLimits& limits) {
  DcmDataset& data_set = file.data_set();
  file.require_pixels();
  Picture picture;
  picture.format = PictureFormat::kDicom;
  picture.lossy = is_lossy(file);
  picture.pages = describe_pixels(data_set, limits).frames;
  const std::string_view bytes = file.pixels(first_frame_only);
  PixelLayout layout = describe_pixels(data_set, limits);  // decoding may have changed it
  // DCMTK turns the bytes of words round, not the words of larger samples.
  layout.swapped = file.transfer_syntax().getByteOrder() == EBO_BigEndian;
  const StoredFrame stored(layout, bytes, frame);
  if (layout.is_grey()) {
    read_grey(stored, data_set, frame, picture);
  } else {
    read_colours(stored, data_set, picture);
  }
  read_spacing(data_set, frame, picture.geometry);
  return picture;
}

}  // namespace leaf::data::dicom
