#include "data/dicom/dicom_file.h"
#include "data/dicom/frame_picture.h"
#include "data/dicom/structure.h"
#include "reader.h"

namespace leaf::data {
namespace {

Picture decode_dicom(std::string_view bytes, const PictureLimits& limits) {
  dicom::DicomFile file(bytes, dicom::most_unpacked(limits.max_pixels));
  return dicom::read_frame(file, 0, /*first_frame_only=*/true, limits);
}

}  // namespace

Reader dicom_reader() { return {{".dcm"}, &dicom::has_preamble, &decode_dicom}; }

}  // namespace leaf::data
