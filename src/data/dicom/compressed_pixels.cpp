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
constexpr int kProgressive = 0xC2;

bool is_jpeg_ls(const DcmXfer& syntax) {
  return syntax.getXfer() == EXS_JPEGLSLossless || syntax.getXfer() == EXS_JPEGLSLossy;
}

bool is_frame_header(int marker, bool jpeg_ls) {
  constexpr std::array kTables = {0xC4, 0xC8, 0xCC};
  return jpeg_ls ? marker == 0xF7
                 : marker >= 0xC0 && marker <= 0xCF &&
                       std::find(kTables.begin(), kTables.end(), marker) == kTables.end();
}

/// Markers without a length and content: restarts, start and end of an image.
bool is_bare(int marker) { return marker >= 0xD0 && marker <= 0xD9; }

/// Throws DataError at a marker that no file has: DCMTK's own search does not go on at one of them.
FrameHeader frame_header(std::string_view stream, bool jpeg_ls) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(stream[at]); };
  const auto word = [&](std::size_t at) { return std::int64_t{byte(at)} << 8 | byte(at + 1); };
  for (std::size_t at = 0; at + 4 <= stream.size() && byte(at) == 0xFF && byte(at + 1) != 0;) {
    const int marker = byte(at + 1);
    if (marker < 0xC0) {
      refuse_damaged("its JPEG pixels have a marker that no file may have");
    }
    if (is_frame_header(marker, jpeg_ls)) {
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

std::int64_t frames_of(DcmDataset& data_set) {
  return std::max<std::int64_t>(1, whole_number(data_set, DCM_NumberOfFrames).value_or(1));
}

/// Without the table of offsets before them.
std::int64_t fragments_of(DcmPixelSequence& sequence) {
  return static_cast<std::int64_t>(sequence.card()) - 1;
}

/// DCMTK looks for each fragment from the nearest end on, and in JPEG-LS with several of them to a
/// frame for all frames' ends too.
void check_fragments(DcmPixelSequence& sequence, std::int64_t frames, bool jpeg_ls) {
  constexpr std::int64_t kMost = 100'000;
  constexpr std::int64_t kMostOfSeveral = 2'000;
  const std::int64_t fragments = fragments_of(sequence);
  const std::int64_t most = jpeg_ls && fragments > frames ? kMostOfSeveral : kMost;
  if (fragments > most) {
    refuse_damaged(
        str("its compressed pixels are ", fragments, " pieces, and the limit is ", most));
  }
}

/// Each scan goes over a whole picture. JPEG files may have as many as one frame here
/// (readers/jpeg.cpp).
std::int64_t most_scans(std::int64_t frames, std::int64_t pixels) {
  constexpr std::int64_t kOfOne = 500;
  constexpr std::int64_t kMostPixels = 50'000'000'000;  // a minute or so
  return std::min(kOfOne + 3 * frames,
                  std::max(kOfOne, kMostPixels / std::max<std::int64_t>(1, pixels)));
}

/// Goes over the fragments of compressed pixels in their order.
class CodedFrames {
 public:
  /// Of so many frames at most.
  CodedFrames(DcmDataset& data_set, bool jpeg_ls, bool first_frame_only, std::int64_t frames)
      : columns_(whole_number(data_set, DCM_Columns).value_or(0)),
        rows_(whole_number(data_set, DCM_Rows).value_or(0)),
        most_scans_(most_scans(frames, columns_ * rows_)),
        jpeg_ls_(jpeg_ls),
        first_frame_only_(first_frame_only) {}

  /// A fragment that begins a frame states its size.
  void check(std::string_view fragment) {
    const bool begins = fragment.starts_with(kFrameStart);
    if (!begins && begun_ == 0) {
      refuse_damaged("its compressed pixels do not begin with a frame");
    }
    if (last_ == '\xFF' && fragment.starts_with(kFrameStart.substr(1))) {
      refuse_damaged("the beginning of a frame is in two pieces");
    }
    const FrameHeader header =
        begins || !jpeg_ls_ ? frame_header(fragment, jpeg_ls_) : FrameHeader{};
    if (begins && (begun_++ == 0 || !first_frame_only_)) {
      check(header);
    }
    count_scans(fragment);
    last_ = fragment.empty() ? last_ : fragment.back();
  }

 private:
  void check(const FrameHeader& header) const {
    if (header.marker == 0) {
      refuse_damaged("a frame has no header at its beginning");
    }
    if (header.marker == kProgressive) {
      refuse_damaged("its pixels are progressive JPEG, which DICOM has no more");
    }
    if (header.width != columns_ || header.height != rows_) {
      refuse_damaged(str("its header states ", columns_, "x", rows_, " pixels, its frame ",
                         header.width, "x", header.height));
    }
  }

  void count_scans(std::string_view fragment) {
    constexpr std::string_view kScan = "\xFF\xDA";
    scans_ += last_ == kScan[0] && fragment.starts_with(kScan.substr(1)) ? 1 : 0;
    for (std::size_t at = fragment.find(kScan); at != fragment.npos;
         at = fragment.find(kScan, at + kScan.size())) {
      ++scans_;
    }
    if (scans_ > most_scans_) {
      refuse_damaged(str("its frames have more than ", most_scans_, " scans"));
    }
  }

  std::int64_t columns_;
  std::int64_t rows_;
  std::int64_t most_scans_;
  bool jpeg_ls_;
  bool first_frame_only_;
  std::int64_t begun_ = 0;
  std::int64_t scans_ = 0;
  char last_ = 0;  ///< of the fragments before
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
  if (sequence == nullptr) {
    return;
  }
  const bool jpeg_ls = is_jpeg_ls(syntax);
  check_fragments(*sequence, frames_of(data_set), jpeg_ls);
  if (syntax.getXfer() == EXS_RLELossless) {
    return;
  }
  CodedFrames frames(data_set, jpeg_ls, first_frame_only,
                     std::min(frames_of(data_set), fragments_of(*sequence)));
  DcmObject* fragment = sequence->nextInContainer(nullptr);  // the table of offsets
  while (fragment != nullptr && (fragment = sequence->nextInContainer(fragment)) != nullptr) {
    frames.check(bytes_of(*fragment));
  }
}

void check_decoded_size(DcmDataset& data_set) {
  double bytes = 2;  // of a sample, which may take them whatever is stated
  for (const DcmTagKey& tag : {DCM_Rows, DCM_Columns, DCM_SamplesPerPixel, DCM_NumberOfFrames}) {
    bytes *= static_cast<double>(whole_number(data_set, tag).value_or(1));
  }
  if (bytes > std::numeric_limits<std::int32_t>::max()) {
    throw DataError(
        "its pixels take more than 2 GB when they are decompressed to 16 bits a sample");
  }
}

}  // namespace leaf::data::dicom
