#include "jpeg2000.h"

#include <dcmtk/dcmdata/dcpxitem.h>
#include <openjpeg.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "code_stream.h"
#include "compressed_pixels.h"
#include "data/readers/reader.h"
#include "leaf/core/strings.h"
#include "pixel_layout.h"

namespace leaf::data::dicom {
namespace {

/// What OpenJPEG reads from.
struct Source {
  std::string_view bytes;
  std::size_t at = 0;

  std::size_t left() const { return bytes.size() - at; }
};

constexpr auto kNothing = static_cast<OPJ_SIZE_T>(-1);

OPJ_SIZE_T read_on(void* to, OPJ_SIZE_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  const std::size_t taken = std::min(count, source.left());
  std::memcpy(to, source.bytes.data() + source.at, taken);
  source.at += taken;
  return taken == 0 ? kNothing : taken;
}

OPJ_OFF_T skip_on(OPJ_OFF_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (count < 0 || source.left() == 0) {
    return -1;
  }
  const auto taken = std::min(count, static_cast<OPJ_OFF_T>(source.left()));
  source.at += static_cast<std::size_t>(taken);
  return taken;
}

OPJ_BOOL go_to(OPJ_OFF_T place, void* user) {
  auto& source = *static_cast<Source*>(user);
  const bool is_inside = place >= 0 && place <= static_cast<OPJ_OFF_T>(source.bytes.size());
  source.at = is_inside ? static_cast<std::size_t>(place) : source.at;
  return is_inside ? OPJ_TRUE : OPJ_FALSE;
}

void keep_first(const char* words, void* user) {
  auto& kept = *static_cast<std::string*>(user);
  const std::string_view text(words);
  kept = kept.empty() ? std::string(text.substr(0, text.find('\n'))) : kept;
}

template <auto kDestroy>
struct Destroy {
  void operator()(auto* object) const { kDestroy(object); }
};
using Codec = std::unique_ptr<opj_codec_t, Destroy<&opj_destroy_codec>>;
using Stream = std::unique_ptr<opj_stream_t, Destroy<&opj_stream_destroy>>;
using Image = std::unique_ptr<opj_image_t, Destroy<&opj_image_destroy>>;

Stream stream_of(Source& source) {
  constexpr std::size_t kBuffer = 1U << 16U;
  Stream stream(opj_stream_create(kBuffer, OPJ_TRUE));
  if (!stream) {
    throw std::bad_alloc();
  }
  opj_stream_set_read_function(stream.get(), &read_on);
  opj_stream_set_skip_function(stream.get(), &skip_on);
  opj_stream_set_seek_function(stream.get(), &go_to);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  return stream;
}

Image decode(std::string_view code) {
  Source source{.bytes = code};
  std::string words;
  const Stream stream = stream_of(source);
  const Codec codec(opj_create_decompress(OPJ_CODEC_J2K));
  if (!codec) {
    throw std::bad_alloc();
  }
  opj_set_error_handler(codec.get(), &keep_first, &words);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* header = nullptr;
  const bool has_header = opj_setup_decoder(codec.get(), &parameters) == OPJ_TRUE &&
                          opj_read_header(stream.get(), codec.get(), &header) == OPJ_TRUE;
  Image image(header);
  if (!has_header || opj_decode(codec.get(), stream.get(), image.get()) != OPJ_TRUE) {
    refuse_damaged(str("OpenJPEG: ", words.empty() ? "no reason is given" : words));
  }
  return image;
}

/// The samples of a component as DICOM's words, which begin at `to`, `step` bytes apart.
template <typename Word>
void put_samples(const opj_image_comp_t& component, const PixelLayout& layout, bool lossy,
                 char* to) {
  const auto step = static_cast<std::size_t>(layout.samples) * sizeof(Word);
  const bool same_sign = (component.sgnd != 0) == layout.is_signed;
  const std::int64_t mask = (std::int64_t{1} << layout.stored) - 1;
  for (std::int64_t i = 0; i < layout.width * layout.height; ++i, to += step) {
    std::int64_t value = component.data[i];
    if (same_sign && (value < layout.lowest() || value > layout.highest())) {
      if (!lossy) {
        refuse_damaged(
            str("its header states ", layout.stored, " bits, and its frame holds ", value));
      }
      value = std::clamp(value, layout.lowest(), layout.highest());  // loss overshoots
    }
    const auto word = static_cast<Word>(value & mask);
    std::memcpy(to, &word, sizeof(Word));
  }
}

void check_decoded(const opj_image_t& image, const PixelLayout& layout) {
  bool fits = image.numcomps == layout.samples;
  for (OPJ_UINT32 c = 0; fits && c < image.numcomps; ++c) {
    const opj_image_comp_t& component = image.comps[c];
    fits = component.data != nullptr && component.w == layout.width && component.h == layout.height;
  }
  if (!fits) {
    refuse_damaged("OpenJPEG: it decodes to other pixels than it states");
  }
}

void append_frame(std::string_view bytes, const PixelLayout& layout, bool lossy, std::string& to) {
  const std::string_view code = without_boxes(bytes);
  check_code_stream(code, layout);
  const Image image = decode(code);
  check_decoded(*image, layout);
  const auto word = static_cast<std::size_t>(layout.allocated / 8);
  const std::size_t begin = to.size();
  to.resize(begin + static_cast<std::size_t>(layout.width * layout.height * layout.samples) * word);
  for (OPJ_UINT32 c = 0; c < image->numcomps; ++c) {
    char* const first = to.data() + begin + c * word;
    if (word == 1) {
      put_samples<std::uint8_t>(image->comps[c], layout, lossy, first);
    } else {
      put_samples<std::uint16_t>(image->comps[c], layout, lossy, first);
    }
  }
}

std::vector<std::string_view> all_fragments(DcmPixelSequence& sequence) {
  std::vector<std::string_view> fragments;
  DcmObject* next = sequence.nextInContainer(nullptr);  // the table of offsets
  while (next != nullptr && (next = sequence.nextInContainer(next)) != nullptr) {
    Uint8* bytes = nullptr;
    auto* item = dynamic_cast<DcmPixelItem*>(next);
    if (item != nullptr && item->getUint8Array(bytes).good() && bytes != nullptr) {
      fragments.emplace_back(reinterpret_cast<const char*>(bytes), item->getLength());
    }
  }
  return fragments;
}

bool begins_frame(std::string_view fragment) {
  return fragment.starts_with("\xFF\x4F\xFF\x51") ||
         fragment.starts_with(std::string_view("\0\0\0\x0CjP", 6));
}

/// The pixels of all frames, as a file without compression has them.
std::string decode_frames(DcmPixelSequence& sequence, const PixelLayout& layout, bool lossy) {
  const std::vector<std::string_view> fragments = all_fragments(sequence);
  std::string pixels;
  std::int64_t frame = 0;
  for (auto next = fragments.begin(); next != fragments.end() && frame < layout.frames; ++frame) {
    std::string joined(*next);
    while (++next != fragments.end() && !begins_frame(*next)) {
      joined.append(*next);
    }
    append_frame(joined, layout, lossy, pixels);
  }
  if (frame < layout.frames) {
    refuse_damaged(str("its pixels hold ", frame, " of ", layout.frames, " frames"));
  }
  return pixels;
}

/// The fragments are thrown away with that.
void put_pixels(const std::string& bytes, const PixelLayout& layout, DcmPixelData& pixels) {
  const OFCondition put =
      layout.allocated == 8
          ? pixels.putUint8Array(reinterpret_cast<const Uint8*>(bytes.data()), bytes.size())
          : pixels.putUint16Array(reinterpret_cast<const Uint16*>(bytes.data()), bytes.size() / 2);
  if (put.bad()) {
    refuse_damaged(str("DCMTK: ", put.text()));
  }
}

void describe_decoded(const PixelLayout& layout, DcmDataset& data_set) {
  if (layout.photometric == "YBR_RCT" || layout.photometric == "YBR_ICT") {
    data_set.putAndInsertString(DCM_PhotometricInterpretation, "RGB");
  }
  data_set.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(layout.stored - 1));
  if (layout.planar) {
    data_set.putAndInsertUint16(DCM_PlanarConfiguration, 0);
  }
}

}  // namespace

bool is_jpeg2000(const DcmXfer& syntax) {
  return syntax.getXfer() == EXS_JPEG2000LosslessOnly || syntax.getXfer() == EXS_JPEG2000;
}

void decode_jpeg2000(DcmPixelData& pixels, const DcmXfer& syntax, DcmDataset& data_set,
                     bool first_frame_only) {
  DcmPixelSequence* sequence = compressed_pixels(pixels, syntax);
  if (sequence == nullptr) {
    return;
  }
  if (first_frame_only) {
    data_set.putAndInsertString(DCM_NumberOfFrames, "1");
  }
  // Whoever asks for pixels has limits of its own, and has compared the size with them before.
  const PixelLayout layout =
      describe_pixels(data_set, {.max_pixels = std::numeric_limits<std::int64_t>::max()});
  if (layout.allocated != 8 && layout.allocated != 16) {
    refuse_unread(str("JPEG 2000 code streams of samples of ", layout.allocated, " bits"));
  }
  if (layout.photometric == "YBR_FULL_422") {  // which the standard knows of JPEG alone
    refuse_unread("JPEG 2000 code streams of YBR_FULL_422");
  }
  check_decoded_size(data_set);
  const bool lossy = syntax.getXfer() == EXS_JPEG2000;
  put_pixels(decode_frames(*sequence, layout, lossy), layout, pixels);
  describe_decoded(layout, data_set);
}

}  // namespace leaf::data::dicom
