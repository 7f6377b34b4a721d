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

/// What the frame header of a JPEG or JPEG-LS stream says; zeros where there is none before the
/// stream's pixels or its end.
struct FrameHeader {
  int marker = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

constexpr std::string_view kFrameStart = "\xFF\xD8";
constexpr int kTemporary = 0x01;
constexpr int kProgressive = 0xC2;

bool is_frame_header(int marker) {
  constexpr std::array kTables = {0xC4, 0xC8, 0xCC};
  return (marker >= 0xC0 && marker <= 0xCF &&
          std::find(kTables.begin(), kTables.end(), marker) == kTables.end()) ||
         marker == 0xF7;
}

/// Markers without a length and content: restarts, start and end of an image.
bool is_bare(int marker) { return marker >= 0xD0 && marker <= 0xD9; }

/// Throws DataError at the marker at which DCMTK's own search never goes on.
FrameHeader frame_header(std::string_view stream) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(stream[at]); };
  const auto word = [&](std::size_t at) { return std::int64_t{byte(at)} << 8 | byte(at + 1); };
  for (std::size_t at = 0; at + 4 <= stream.size() && byte(at) == 0xFF;) {
    const int marker = byte(at + 1);
    if (marker == kTemporary) {
      refuse_damaged("its JPEG pixels have a marker that no file may have");
    }
    if (is_frame_header(marker)) {
      return at + 9 <= stream.size() ? FrameHeader{marker, word(at + 7), word(at + 5)}
                                     : FrameHeader{};
    }
    at += marker == 0xFF ? 1 : is_bare(marker) ? 2 : 2 + static_cast<std::size_t>(word(at + 2));
  }
  return {};
}

std::string_view bytes_of(DcmObject& fragment) {
  Uint8* bytes = nullptr;
  auto* item = dynamic_cast<DcmPixelItem*>(&fragment);
  if (item == nullptr || item->getUint8Array(bytes).bad() || bytes == nullptr) {
    return {};
  }
  return {reinterpret_cast<const char*>(bytes), item->getLength()};
}

/// Goes over the fragments of compressed pixels in their order.
class CodedFrames {
 public:
  CodedFrames(DcmDataset& data_set, const DcmXfer& syntax)
      : columns_(whole_number(data_set, DCM_Columns).value_or(0)),
        rows_(whole_number(data_set, DCM_Rows).value_or(0)),
        may_be_progressive_(syntax.getXfer() == EXS_JPEGProcess10_12) {}

  /// True where the fragment begins a frame, which then has the size that the header states.
  bool check(std::string_view fragment) {
    const FrameHeader header = frame_header(fragment);
    const bool begins = fragment.starts_with(kFrameStart);
    if (begins) {
      check(header);
      scans_ = 0;
    } else if (is_first_) {
      refuse_damaged("its compressed pixels do not begin with a frame");
    }
    is_first_ = false;
    count_scans(fragment);
    return begins;
  }

 private:
  void check(const FrameHeader& header) const {
    if (header.marker == 0) {
      refuse_damaged("a frame has no header at its beginning");
    }
    if (header.marker == kProgressive && !may_be_progressive_) {
      refuse_damaged("its pixels are progressive JPEG, which it does not state");
    }
    if (header.width != columns_ || header.height != rows_) {
      refuse_damaged(str("its header states ", columns_, "x", rows_, " pixels, its frame ",
                         header.width, "x", header.height));
    }
  }

  /// Each goes over the whole picture, as in JPEG files (readers/jpeg.cpp).
  void count_scans(std::string_view fragment) {
    constexpr int kMostScans = 500;
    constexpr std::string_view kScan = "\xFF\xDA";
    for (std::size_t at = fragment.find(kScan); at != fragment.npos;
         at = fragment.find(kScan, at + kScan.size())) {
      if (++scans_ > kMostScans) {
        refuse_damaged(str("a frame has more than ", kMostScans, " scans"));
      }
    }
  }

  std::int64_t columns_;
  std::int64_t rows_;
  bool may_be_progressive_;
  bool is_first_ = true;
  int scans_ = 0;
};

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
  CodedFrames frames(data_set, syntax);
  bool begun = false;
  DcmObject* fragment = sequence->nextInContainer(nullptr);  // the table of offsets
  while (fragment != nullptr && (fragment = sequence->nextInContainer(fragment)) != nullptr) {
    const std::string_view bytes = bytes_of(*fragment);
    if (first_frame_only && begun && bytes.starts_with(kFrameStart)) {
      return;
    }
    begun = frames.check(bytes) || begun;
  }
}

void check_decoded_size(DcmDataset& data_set) {
  double bytes = 2;  // of a sample, which may take them whatever is stated
  for (const DcmTagKey& tag : {DCM_Rows, DCM_Columns, DCM_SamplesPerPixel, DCM_NumberOfFrames}) {
    bytes *= static_cast<double>(whole_number(data_set, tag).value_or(1));
  }
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    throw DataError("its pixels take more than 2 GB when they are decompressed to 16 bits a sample");
  }
}

}  // namespace leaf::data::dicom
