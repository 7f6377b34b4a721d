#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <openjpeg.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "data/dicom/dicom_file.h"
#include "data/dicom/frame_picture.h"
#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"
#include "support/dicom_bytes.h"
#include "support/images.h"

namespace leaf::data {
namespace {

using test::dicom_file;
using test::DicomItem;
using test::grey_dicom;
using test::little;

constexpr const char* kLossless = "1.2.840.10008.1.2.4.90";
constexpr const char* kLossy = "1.2.840.10008.1.2.4.91";

/// A code stream to be written by OpenJPEG.
struct CodeSpec {
  int height = 4;
  int width = 6;
  int components = 1;
  int precision = 8;
  bool is_signed = false;
  float ratio = 0;  ///< of compression; 0: without loss
  int tile = 0;     ///< side of a tile; 0: one for all
};

opj_image_t* image_of(const CodeSpec& spec, const std::vector<int>& samples) {
  opj_image_cmptparm_t one{};
  one.dx = one.dy = 1;
  one.w = static_cast<OPJ_UINT32>(spec.width);
  one.h = static_cast<OPJ_UINT32>(spec.height);
  one.prec = static_cast<OPJ_UINT32>(spec.precision);
  one.sgnd = spec.is_signed ? 1 : 0;
  std::vector<opj_image_cmptparm_t> all(static_cast<std::size_t>(spec.components), one);
  opj_image_t* image = opj_image_create(static_cast<OPJ_UINT32>(spec.components), all.data(),
                                        spec.components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
  image->x1 = one.w;
  image->y1 = one.h;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto count = static_cast<std::size_t>(spec.components);
    image->comps[i % count].data[i / count] = samples[i];
  }
  return image;
}

/// What OpenJPEG writes to.
struct Sink {
  std::string bytes;
  std::size_t at = 0;

  static OPJ_SIZE_T write(void* from, OPJ_SIZE_T count, void* user) {
    auto& sink = *static_cast<Sink*>(user);
    sink.bytes.resize(std::max(sink.bytes.size(), sink.at + count));
    std::copy_n(static_cast<const char*>(from), count,
                sink.bytes.begin() + std::ptrdiff_t(sink.at));
    sink.at += count;
    return count;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
    static_cast<Sink*>(user)->at += static_cast<std::size_t>(count);
    return count;
  }
  static OPJ_BOOL seek(OPJ_OFF_T place, void* user) {
    static_cast<Sink*>(user)->at = static_cast<std::size_t>(place);
    return OPJ_TRUE;
  }
};

opj_cparameters_t parameters_of(const CodeSpec& spec) {
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.numresolution = 2;
  parameters.tcp_numlayers = 1;
  parameters.cp_disto_alloc = 1;
  parameters.tcp_rates[0] = spec.ratio;
  parameters.irreversible = spec.ratio > 0 ? 1 : 0;
  parameters.tcp_mct = spec.components == 3 ? 1 : 0;
  parameters.tile_size_on = spec.tile > 0 ? OPJ_TRUE : OPJ_FALSE;
  parameters.cp_tdx = parameters.cp_tdy = spec.tile;
  return parameters;
}

/// samples: pixel by pixel.
std::string encode(const CodeSpec& spec, const std::vector<int>& samples) {
  opj_cparameters_t parameters = parameters_of(spec);
  const std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)> image(image_of(spec, samples),
                                                                         &opj_image_destroy);
  const std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)> codec(
      opj_create_compress(OPJ_CODEC_J2K), &opj_destroy_codec);
  const std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)> stream(
      opj_stream_create(1U << 16U, OPJ_FALSE), &opj_stream_destroy);
  Sink sink;
  opj_stream_set_write_function(stream.get(), &Sink::write);
  opj_stream_set_skip_function(stream.get(), &Sink::skip);
  opj_stream_set_seek_function(stream.get(), &Sink::seek);
  opj_stream_set_user_data(stream.get(), &sink, nullptr);
  const bool done = opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_TRUE &&
                    opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_TRUE &&
                    opj_encode(codec.get(), stream.get()) == OPJ_TRUE &&
                    opj_end_compress(codec.get(), stream.get()) == OPJ_TRUE;
  EXPECT_TRUE(done);
  return sink.bytes;
}

std::string fragment(std::string bytes) {
  bytes.resize((bytes.size() + 1) / 2 * 2);
  return little(0xE000FFFE, 4) + little(bytes.size(), 4) + bytes;
}

/// A data set of that layout with compressed pixels.
DicomItem header_of(const CodeSpec& spec) {
  DicomItem item =
      grey_dicom(static_cast<std::uint64_t>(spec.height), static_cast<std::uint64_t>(spec.width),
                 {}, spec.precision > 8 ? 16 : 8);
  item.remove(0x7FE00010);
  const auto bits = static_cast<std::uint64_t>(spec.precision);
  item.number(0x00280101, bits).number(0x00280102, bits - 1);
  item.number(0x00280103, spec.is_signed ? 1 : 0);
  if (spec.components == 3) {
    item.number(0x00280002, 3).number(0x00280006, 0).text(0x00280004, "CS", "YBR_RCT");
  }
  return item;
}

std::string file_of(const DicomItem& header, const std::vector<std::string>& fragments,
                    const char* syntax = kLossless) {
  std::string bytes = dicom_file(header, syntax);
  bytes += little(0x00107FE0, 4) + "OB" + little(0, 2) + little(0xFFFFFFFF, 4) + fragment("");
  for (const std::string& one : fragments) {
    bytes += fragment(one);
  }
  return bytes + little(0xE0DDFFFE, 4) + little(0, 4);
}

/// Values that use all of the bits.
std::vector<int> some_samples(const CodeSpec& spec) {
  const int low = spec.is_signed ? -(1 << (spec.precision - 1)) : 0;
  const int range = (1 << spec.precision) - 1;
  std::vector<int> samples(static_cast<std::size_t>(spec.height * spec.width * spec.components));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i * 7919 % samples.size());
    samples[i] =
        low + static_cast<int>(place * range / static_cast<std::int64_t>(samples.size() - 1));
  }
  return samples;
}

std::vector<int> samples_of(const Picture& picture) {
  const at::Tensor values = picture.samples.to(at::kInt).flatten();
  return {values.const_data_ptr<int>(), values.const_data_ptr<int>() + values.numel()};
}

void expect_refusal(const std::string& bytes, const std::string& part) {
  const std::string message = test::message_of<DataError>([&] { decode_picture(bytes, "a.dcm"); });
  EXPECT_TRUE(message.starts_with("cannot read image 'a.dcm': ")) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

/// Expects that with the bytes at `place` of the code stream replaced it is refused by `part`.
void expect_refusal_with(std::size_t place, const std::string& bytes, const std::string& part) {
  const CodeSpec spec;
  std::string code = encode(spec, some_samples(spec));
  code.replace(place, bytes.size(), bytes);
  expect_refusal(file_of(header_of(spec), {code}), part);
}

}  // namespace

TEST(Jpeg2000, EveryDepthComesBack) {
  for (const bool is_signed : {false, true}) {
    for (const int precision : {8, 10, 12, 13, 16}) {
      const CodeSpec spec{.precision = precision, .is_signed = is_signed};
      const std::vector<int> samples = some_samples(spec);
      const std::string bytes = file_of(header_of(spec), {encode(spec, samples)});
      EXPECT_EQ(samples_of(decode_picture(bytes, "a.dcm")), samples) << precision << is_signed;
    }
  }
}

TEST(Jpeg2000, ColoursAndTiles) {
  const CodeSpec spec{.height = 20, .width = 30, .components = 3, .tile = 16};
  const std::vector<int> samples = some_samples(spec);
  const std::string code = encode(spec, samples);
  for (const char* kind : {"YBR_RCT", "YBR_ICT", "RGB"}) {
    DicomItem header = header_of(spec);
    header.text(0x00280004, "CS", kind).number(0x00280006, 1);  // planes, which no stream has
    const Picture picture = decode_picture(file_of(header, {code}), "a.dcm");
    EXPECT_EQ(samples_of(picture), samples) << kind;
    EXPECT_FALSE(picture.lossy);
  }
}

TEST(Jpeg2000, LossIsSmallAndSaid) {
  const CodeSpec spec{.height = 32, .width = 32, .precision = 12, .ratio = 4};
  std::vector<int> samples;
  for (int i = 0; i < 32 * 32; ++i) {
    samples.push_back(i % 32 * 60 + i / 32 * 50);
  }
  DicomItem header = header_of(spec);
  const std::string code = encode(spec, samples);
  Picture picture = decode_picture(file_of(header, {code}, kLossy), "a.dcm");
  EXPECT_TRUE(picture.lossy);
  const at::Tensor wanted = at::tensor(samples, at::kInt).view({32, 32, 1});
  EXPECT_LT((picture.samples - wanted).abs().max().item<int>(), 40);
  header.text(0x00282110, "CS", "00");
  EXPECT_FALSE(decode_picture(file_of(header, {code}, kLossy), "a.dcm").lossy);
}

TEST(Jpeg2000, FramesOfOneOrSeveralFragments) {
  const CodeSpec spec{.precision = 16};
  const std::vector<int> first = some_samples(spec);
  std::vector<int> second = first;
  std::reverse(second.begin(), second.end());
  const std::string one = encode(spec, first);
  const std::string two = encode(spec, second);
  DicomItem header = header_of(spec);
  header.text(0x00280008, "IS", "2");
  const std::string half = one.substr(0, 40);
  for (const auto& fragments : std::vector<std::vector<std::string>>{
           {one, two}, {half, one.substr(40), two.substr(0, 20), two.substr(20)}}) {
    const std::string bytes = file_of(header, fragments);
    const Picture picture = decode_picture(bytes, "a.dcm");
    EXPECT_EQ(picture.pages, 2);
    EXPECT_EQ(samples_of(picture), first);
    dicom::DicomFile file(bytes, dicom::most_unpacked(1000));
    EXPECT_EQ(samples_of(dicom::read_frame(file, 1, false, {})), second);
    EXPECT_EQ(samples_of(dicom::read_frame(file, 0, false, {})), first);
  }
  dicom::DicomFile file(file_of(header, {one, half}), dicom::most_unpacked(1000));
  EXPECT_NE(test::message_of<DataError>([&] { file.pixels(false); }).find("ends early"),
            std::string::npos);
  dicom::DicomFile lone(file_of(header, {half, one.substr(40)}), dicom::most_unpacked(1000));
  EXPECT_NE(test::message_of<DataError>([&] { lone.pixels(false); }).find("hold 1 of 2 frames"),
            std::string::npos);
}

TEST(Jpeg2000, BoxesAroundTheCodeStream) {
  const CodeSpec spec;
  const std::vector<int> samples = some_samples(spec);
  const std::string code = encode(spec, samples);
  const std::string signature = std::string("\0\0\0\x0CjP  \r\n\x87\n", 12);
  const std::string open = std::string(4, '\0') + "jp2c";
  EXPECT_EQ(
      samples_of(decode_picture(file_of(header_of(spec), {signature + open + code}), "a.dcm")),
      samples);
  expect_refusal(file_of(header_of(spec), {signature + std::string("\0\0\0\x04jp2c", 8) + code}),
                 "no whole code stream");
  expect_refusal(file_of(header_of(spec), {signature}), "no whole code stream");
}

TEST(Jpeg2000, OtherDepthsThanTheHeaders) {
  const CodeSpec wide{.precision = 16};
  const std::vector<int> samples(24, 4095);
  const std::string code = encode(wide, samples);
  DicomItem header = header_of(wide);
  header.number(0x00280101, 12).number(0x00280102, 11);
  EXPECT_EQ(samples_of(decode_picture(file_of(header, {code}), "a.dcm")), samples)
      << "12 bits in a code stream of 16";
  const std::string beyond = encode(wide, std::vector<int>(24, 4096));
  expect_refusal(file_of(header, {beyond}), "states 12 bits, and its frame holds 4096");
  EXPECT_EQ(samples_of(decode_picture(file_of(header, {beyond}, kLossy), "a.dcm")), samples)
      << "loss overshoots";
  header.number(0x00280103, 1);
  expect_refusal(file_of(header, {code}), "states 12 of 16 bits with a sign, its frame 16");
  header = header_of(wide).number(0x00280100, 8).number(0x00280101, 8).number(0x00280102, 7);
  expect_refusal(file_of(header, {code}), "states 8 of 8 bits, its frame 16");
}

/// As some writers do: two's complement in a code stream without a sign.
TEST(Jpeg2000, WordsWithASignInAStreamWithoutOne) {
  const CodeSpec spec{.precision = 13};
  std::vector<int> samples(24, 5);
  samples[3] = (1 << 13) - 7;
  DicomItem header = header_of(spec);
  header.number(0x00280103, 1);
  std::vector<int> wanted = samples;
  wanted[3] = -7;
  EXPECT_EQ(samples_of(decode_picture(file_of(header, {encode(spec, samples)}), "a.dcm")), wanted);
}

TEST(Jpeg2000, EveryCutStreamIsRefused) {
  const CodeSpec spec{.height = 12, .width = 12, .components = 3, .tile = 6};
  const std::string code = encode(spec, some_samples(spec));
  for (std::size_t size = 0; size + 2 < code.size(); ++size) {  // the end's marker may be missing
    expect_refusal(file_of(header_of(spec), {code.substr(0, size)}), "");
  }
  expect_refusal(file_of(header_of(spec), {code.substr(0, code.size() - 40)}), "ends early");
}

TEST(Jpeg2000, OtherPixelsThanTheHeadersAreRefused) {
  const CodeSpec spec;
  const std::string code = encode(spec, some_samples(spec));
  DicomItem header = header_of(spec);
  expect_refusal(file_of(header.number(0x00280010, 5), {code}),
                 "its header states 6x5 pixels, its frame 6x4");
  const CodeSpec colours{.components = 3};
  expect_refusal(file_of(header_of(colours), {code}),
                 "its header states 3 samples a pixel, its frame 1");
  header = header_of(spec).number(0x00280100, 32).number(0x00280101, 32).number(0x00280102, 31);
  expect_refusal(file_of(header, {code}), "of samples of 32 bits");
  expect_refusal(file_of(header_of(spec), {"what no decoder reads"}), "no JPEG 2000 code stream");
}

TEST(Jpeg2000, HostileStreamsAreRefused) {
  const std::string one = std::string("\0\0\0\1", 4);
  expect_refusal_with(24, std::string(8, '\0'), "states 0 tiles");
  expect_refusal_with(32, std::string("\0\0\0\2", 4), "states 0 tiles");
  expect_refusal_with(43, "\2", "components of several sizes");
  // Tiles of a pixel, and precincts of one: their tables take thousands of bytes a pixel.
  const CodeSpec large{.height = 600, .width = 600};
  std::string code = encode(large, std::vector<int>(360'000, 9));
  const std::string tiny_tiles = std::string(code).replace(24, 8, one + one);
  expect_refusal(file_of(header_of(large), {tiny_tiles}), "states 360000 tiles");
  const std::size_t coding = code.find("\xFF\x52");
  ASSERT_NE(coding, code.npos);
  std::string precincts = code;
  precincts[coding + 4] |= 1;
  precincts[coding + 3] = static_cast<char>(precincts[coding + 3] + 2);
  precincts.insert(coding + 14, 2, '\0');
  expect_refusal(file_of(header_of(large), {precincts}), "precincts");
  std::string layers = code;
  layers.replace(coding + 6, 2, "\xFF\xFF");
  layers[coding + 9] = 32;
  expect_refusal(file_of(header_of(large), {layers}), "65535 layers");
}

TEST(Jpeg2000, NoByteOfAHeaderEndsTheProgram) {
  const CodeSpec spec{.height = 8, .width = 8, .components = 3};
  const std::string code = encode(spec, some_samples(spec));
  for (std::size_t place = 0; place < code.size(); ++place) {
    for (const char value : {'\0', '\1', '\x7F', '\xFF'}) {
      std::string changed = code;
      changed[place] = value;
      try {
        const Picture picture = decode_picture(file_of(header_of(spec), {changed}), "a.dcm");
        EXPECT_EQ(picture.samples.numel(), 192);
      } catch (const DataError&) {
      }
    }
  }
}

}  // namespace leaf::data
