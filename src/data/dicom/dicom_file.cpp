#include "dicom_file.h"

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dlfcn.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "compressed_pixels.h"
#include "data/readers/reader.h"
#include "jpeg2000.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "structure.h"

namespace leaf::data::dicom {
namespace fs = std::filesystem;
namespace {

/// Where the dictionary lies beside a program or library that was copied with all that it needs:
/// Debian's DCMTK looks for its own place alone, and in DCMDICTPATH.
std::vector<fs::path> dictionary_places() {
  std::error_code none;
  std::vector<fs::path> places{fs::read_symlink("/proc/self/exe", none)};
  Dl_info here;
  if (::dladdr(reinterpret_cast<const void*>(&dictionary_places), &here) != 0) {
    places.emplace_back(here.dli_fname);
  }
  for (fs::path& place : places) {
    place = place.parent_path().parent_path() / "share/leaf/dicom.dic";
  }
  return places;
}

/// DCMTK's settings, which are the process's own: no lines on the terminal, all its decoders.
void prepare_dcmtk() {
  static const bool once = [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_default,
                                          EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs();
    std::error_code none;
    for (const fs::path& place : dictionary_places()) {
      if (!dcmDataDict.isDictionaryLoaded() && fs::exists(place, none)) {
        dcmDataDict.wrlock().loadDictionary(place.c_str());
        dcmDataDict.wrunlock();
      }
    }
    return true;
  }();
  static_cast<void>(once);
}

/// The data set of a "deflated" file, which is compressed as a whole.
std::string inflate_all(std::string_view packed, std::int64_t most_bytes) {
  z_stream stream{};
  constexpr int kRaw = -15;  // no header
  if (::inflateInit2(&stream, kRaw) != Z_OK) {
    throw std::bad_alloc();
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in =
      static_cast<uInt>(std::min<std::size_t>(packed.size(), std::numeric_limits<uInt>::max()));
  std::string unpacked;
  std::array<char, 1U << 16U> piece;
  int state = Z_OK;
  while (state == Z_OK && static_cast<std::int64_t>(unpacked.size()) <= most_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    state = ::inflate(&stream, Z_NO_FLUSH);
    unpacked.append(piece.data(), piece.size() - stream.avail_out);
  }
  ::inflateEnd(&stream);
  if (static_cast<std::int64_t>(unpacked.size()) > most_bytes) {
    throw DataError(str("its data set unpacks to more than ", bytes_text(double(most_bytes))));
  }
  if (state != Z_STREAM_END) {
    refuse_damaged("its compressed data set ends early");
  }
  return unpacked;
}

}  // namespace

std::int64_t most_unpacked(std::int64_t pixels) {
  constexpr std::int64_t kLeast = 64'000'000;
  constexpr std::int64_t kBytesPerPixel = 8;
  return std::max(kLeast, kBytesPerPixel * std::min(pixels, std::int64_t{1} << 40));
}

DicomFile::DicomFile(std::string_view bytes, std::int64_t most_bytes)
    : data_set_(std::make_unique<DcmDataset>()), syntax_(EXS_Unknown) {
  prepare_dcmtk();
  const FileStart start = read_start(bytes);
  syntax_ = DcmXfer(start.transfer_syntax.c_str());
  if (syntax_.getXfer() == EXS_Unknown) {
    throw DataError(str("its transfer syntax '", printable(start.transfer_syntax), "' is unknown"));
  }
  std::string_view content = bytes.substr(start.data_set);
  std::string unpacked;
  E_TransferSyntax form = syntax_.getXfer();
  if (syntax_.getStreamCompression() != ESC_none) {
    unpacked = inflate_all(content, most_bytes);
    content = unpacked;
    form = EXS_LittleEndianExplicit;
  }
  content = content.substr(
      0, check_structure(content, {.implicit = syntax_.isImplicitVR(),
                                   .big_endian = syntax_.getByteOrder() == EBO_BigEndian}));
  DcmInputBufferStream stream;
  stream.setBuffer(content.data(), static_cast<offile_off_t>(content.size()));
  stream.setEos();
  data_set_->transferInit();
  const OFCondition read = data_set_->read(stream, form, EGL_noChange);
  data_set_->transferEnd();
  if (read.bad() && read != EC_EndOfStream) {
    refuse_damaged(str("DCMTK: ", read.text()));
  }
}

void DicomFile::decode(DcmPixelData& pixels, bool first_frame_only) {
  if (!DcmCodecList::canChangeCoding(syntax_.getXfer(), EXS_LittleEndianExplicit)) {
    throw DataError(str("its transfer syntax ", syntax_.getXferName(), " (", syntax_.getXferID(),
                        ") is not decoded; decompress it, for example with gdcmconv"));
  }
  check_coded_sizes(pixels, syntax_, *data_set_, first_frame_only);
  if (first_frame_only) {
    data_set_->putAndInsertString(DCM_NumberOfFrames, "1");
  }
  check_decoded_size(*data_set_);
  DcmStack place;
  place.push(data_set_.get());
  place.push(&pixels);
  const OFCondition decoded = pixels.chooseRepresentation(EXS_LittleEndianExplicit, nullptr, place);
  if (decoded.bad()) {
    refuse_damaged(str("DCMTK: ", decoded.text()));
  }
}

DcmPixelData& DicomFile::pixel_data() {
  DcmElement* element = nullptr;
  data_set_->findAndGetElement(DCM_PixelData, element);
  auto* pixels = dynamic_cast<DcmPixelData*>(element);
  if (pixels == nullptr) {
    const bool is_float = data_set_->tagExists(DcmTagKey(0x7FE0, 0x0008)) ||
                          data_set_->tagExists(DcmTagKey(0x7FE0, 0x0009));
    const char* kind = dcmFindNameOfUID(text(*data_set_, DCM_SOPClassUID).c_str(), "no known kind");
    throw DataError(is_float ? std::string("DICOM files of floating-point pixels are not read")
                             : str("it is a DICOM file without pixels (", kind, ")"));
  }
  return *pixels;
}

std::int64_t DicomFile::fragments() {
  DcmPixelSequence* sequence = compressed_pixels(pixel_data(), syntax_);
  return sequence == nullptr ? 0 : static_cast<std::int64_t>(sequence->card()) - 1;
}

std::string_view DicomFile::pixels(bool first_frame_only) {
  DcmPixelData& pixels = pixel_data();
  if (is_jpeg2000(syntax_)) {
    decode_jpeg2000(pixels, syntax_, *data_set_, first_frame_only);
  } else if (syntax_.isEncapsulated()) {
    decode(pixels, first_frame_only);
  }
  Uint8* bytes = nullptr;
  if (pixels.getUint8Array(bytes).bad() || bytes == nullptr) {
    refuse_damaged("its pixels are missing");
  }
  return {reinterpret_cast<const char*>(bytes), pixels.getLength()};
}

std::optional<std::int64_t> whole_number(DcmItem& item, const DcmTagKey& tag,
                                         unsigned long position) {
  long value = 0;
  return item.findAndGetLongInt(tag, value, position).good() ? std::optional<std::int64_t>(value)
                                                             : std::nullopt;
}

std::optional<double> number(DcmItem& item, const DcmTagKey& tag, unsigned long position) {
  Float64 value = 0;
  const bool found = item.findAndGetFloat64(tag, value, position).good() && std::isfinite(value);
  return found ? std::optional<double>(value) : std::nullopt;
}

std::optional<std::vector<double>> numbers(DcmItem& item, const DcmTagKey& tag,
                                           unsigned long count) {
  std::vector<double> values;
  for (unsigned long i = 0; i < count; ++i) {
    const std::optional<double> value = number(item, tag, i);
    if (!value) {
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return values;
}

std::string text(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  item.findAndGetOFStringArray(tag, value);
  return value.c_str();
}

DcmItem& group_of(DcmDataset& data_set, const DcmTagKey& group, std::int64_t frame) {
  DcmItem* holder = nullptr;
  DcmItem* item = nullptr;
  const auto find = [&](const DcmTagKey& groups, std::int64_t index) {
    return data_set.findAndGetSequenceItem(groups, holder, static_cast<long>(index)).good() &&
           holder->findAndGetSequenceItem(group, item).good();
  };
  const bool found = find(DCM_PerFrameFunctionalGroupsSequence, frame) ||
                     find(DCM_SharedFunctionalGroupsSequence, 0);
  return found ? *item : data_set;
}

void require_dictionary() {
  prepare_dcmtk();
  if (!dcmDataDict.isDictionaryLoaded()) {
    throw DataError("DCMTK's dictionary of DICOM's attributes is missing; set DCMDICTPATH");
  }
}

}  // namespace leaf::data::dicom
