#include "compressed_pixels.h"

#include <dcmtk/dcmdata/dcpxitem.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "data/readers/reader.h"
#include "dicom_file.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

/// Width and height in the frame header of a JPEG or JPEG-LS stream; zeros where there is none.
std::array<std::int64_t, 2> coded_size(std::string_view stream) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(stream[at]); };
  const auto word = [&](std::size_t at) { return std::int64_t{byte(at)} << 8 | byte(at + 1); };
  for (std::size_t at = 2; at + 9 < stream.size() && byte(at) == 0xFF;) {
    const int marker = byte(at + 1);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    constexpr std::array kOther = {0xC4, 0xC8, 0xCC};  // tables
    const bool is_frame = (marker >= 0xC0 && marker <= 0xCF &&
                           std::find(kOther.begin(), kOther.end(), marker) == kOther.end()) ||
                          marker == 0xF7;
    if (is_frame) {
      return {word(at + 7), word(at + 5)};
    }
    at += 2 + static_cast<std::size_t>(word(at + 2));
  }
  return {0, 0};
}

/// True where a fragment begins a frame, which then has the size that the header states.
bool check_coded_size(DcmObject& fragment, DcmDataset& data_set) {
  Uint8* bytes = nullptr;
  auto* item = dynamic_cast<DcmPixelItem*>(&fragment);
  if (item == nullptr || item->getUint8Array(bytes).bad() || bytes == nullptr) {
    return false;
  }
  const std::string_view stream(reinterpret_cast<const char*>(bytes), item->getLength());
  if (!stream.starts_with("\xFF\xD8")) {  // the rest of a frame
    return false;
  }
  const auto [width, height] = coded_size(stream);
  const std::int64_t columns = whole_number(data_set, DCM_Columns).value_or(0);
  const std::int64_t rows = whole_number(data_set, DCM_Rows).value_or(0);
  if (width != 0 && (width != columns || height != rows)) {
    refuse_damaged(
        str("its header states ", columns, "x", rows, " pixels, its frame ", width, "x", height));
  }
  return true;
}

}  // namespace

DcmPixelSequence* compressed_pixels(DcmPixelData& pixels, const DcmXfer& syntax) {
  DcmPixelSequence* sequence = nullptr;
  pixels.getEncapsulatedRepresentation(syntax.getXfer(), nullptr, sequence);
  return sequence;
}

void check_coded_sizes(DcmPixelData& pixels, const DcmXfer& syntax, DcmDataset& data_set,
                       bool first_frame_only) {
  DcmPixelSequence* sequence = compressed_pixels(pixels, syntax);
  if (syntax.getXfer() == EXS_RLELossless || sequence == nullptr) {
    return;
  }
  DcmObject* fragment = sequence->nextInContainer(nullptr);  // the table of offsets
  while (fragment != nullptr && (fragment = sequence->nextInContainer(fragment)) != nullptr) {
    if (check_coded_size(*fragment, data_set) && first_frame_only) {
      return;
    }
  }
}

void check_decoded_size(DcmDataset& data_set) {
  double bytes = 2;  // of a sample
  for (const DcmTagKey& tag : {DCM_Rows, DCM_Columns, DCM_SamplesPerPixel, DCM_NumberOfFrames}) {
    bytes *= static_cast<double>(whole_number(data_set, tag).value_or(1));
  }
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    throw DataError(str("its pixels take more than 2 GB when they are decompressed"));
  }
}

}  // namespace leaf::data::dicom
