#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "data/dicom/dicom_file.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"
#include "support/dicom_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using test::dicom_file;
using test::dicom_start;
using test::DicomItem;
using test::grey_dicom;
using test::little;

constexpr std::uint32_t kPhotometric = 0x00280004;
constexpr std::uint32_t kSamplesPerPixel = 0x00280002;
constexpr std::uint32_t kPlanar = 0x00280006;
constexpr std::uint32_t kRows = 0x00280010;
constexpr std::uint32_t kBitsStored = 0x00280101;
constexpr std::uint32_t kHighBit = 0x00280102;
constexpr std::uint32_t kSigned = 0x00280103;
constexpr std::uint32_t kCentre = 0x00281050;
constexpr std::uint32_t kWidth = 0x00281051;
constexpr std::uint32_t kIntercept = 0x00281052;
constexpr std::uint32_t kSlope = 0x00281053;
constexpr std::uint32_t kPixels = 0x7FE00010;

Picture decode(const DicomItem& data_set) { return decode_picture(dicom_file(data_set), "a.dcm"); }

/// All values of a grey picture.
std::vector<double> values_of(const Picture& picture) {
  const at::Tensor values = picture.samples.to(at::kDouble).flatten();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

/// The levels that a viewer shows, of the red channel.
std::vector<int> shown(const DicomItem& data_set, const Intensity& intensity = {}) {
  const at::Tensor rgb =
      decode_image(dicom_file(data_set), "a.dcm", {.intensity = intensity, .limits = {}}).rgb;
  const at::Tensor red = rgb.select(2, 0).to(at::kInt).flatten();
  return {red.const_data_ptr<int>(), red.const_data_ptr<int>() + red.numel()};
}

/// Expects one line that holds `part`, and nothing of the patient.
void expect_refused(const std::string& bytes, const std::string& part,
                    const PictureLimits& limits = {}) {
  const std::string message =
      test::message_of<DataError>([&] { decode_picture(bytes, "a.dcm", limits); });
  EXPECT_TRUE(message.starts_with("cannot read image 'a.dcm': ")) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_EQ(message.find("Secret"), std::string::npos) << message;
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) {
    bytes += static_cast<char>(value);
  }
  return bytes;
}

/// 2 x 1 pixels of three samples of 8 bits.
DicomItem colour_dicom(const std::string& photometric, const std::string& pixels) {
  DicomItem item = grey_dicom(1, 2, {}, 8);
  return item.number(kSamplesPerPixel, 3)
      .text(kPhotometric, "CS", photometric)
      .number(kPlanar, 0)
      .raw(kPixels, "OB", pixels);
}

}  // namespace

TEST(Dicom, GreyValuesOfEightAndSixteenBits) {
  const Picture bytes = decode(grey_dicom(2, 2, {0, 7, 200, 255}, 8));
  EXPECT_EQ(bytes.samples.scalar_type(), at::kByte);
  EXPECT_EQ(values_of(bytes), (std::vector<double>{0, 7, 200, 255}));
  EXPECT_EQ(bytes.bits, 8);
  EXPECT_EQ(bytes.format, PictureFormat::kDicom);
  EXPECT_FALSE(bytes.lossy);
  EXPECT_EQ(bytes.pages, 1);
  const Picture words = decode(grey_dicom(2, 2, {0, 7, 300, 65535}));
  EXPECT_EQ(words.samples.scalar_type(), at::kInt);
  EXPECT_EQ(words.samples.sizes(), (std::vector<std::int64_t>{2, 2, 1}));
  EXPECT_EQ(values_of(words), (std::vector<double>{0, 7, 300, 65535}));
  EXPECT_EQ(words.bits, 16);
}

TEST(Dicom, StoredBitsAndSignsOfAllocatedOnes) {
  DicomItem item = grey_dicom(1, 3, {0xF001, 0x0FFF, 0x0800});
  item.number(kBitsStored, 12).number(kHighBit, 11);
  EXPECT_EQ(values_of(decode(item)), (std::vector<double>{1, 4095, 2048})) << "what lies above";
  EXPECT_EQ(decode(item).bits, 12);
  item.number(kSigned, 1);
  EXPECT_EQ(values_of(decode(item)), (std::vector<double>{1, -1, -2048}));
  EXPECT_EQ(decode(item).bits, 11);
  item.number(kSigned, 0).number(kHighBit, 15);
  EXPECT_EQ(values_of(decode(item)), (std::vector<double>{0xF00, 0xFF, 0x80}));
}

TEST(Dicom, RescaledToWhatValuesMean) {
  DicomItem item = grey_dicom(1, 3, {0, 1024, 4095});
  item.text(kSlope, "DS", "1").text(kIntercept, "DS", "-1024");
  const Picture hounsfield = decode(item);
  EXPECT_EQ(hounsfield.samples.scalar_type(), at::kInt);
  EXPECT_EQ(values_of(hounsfield), (std::vector<double>{-1024, 0, 3071}));
  item.text(kSlope, "DS", "0.5");
  const Picture halves = decode(item);
  EXPECT_EQ(halves.samples.scalar_type(), at::kFloat);
  EXPECT_EQ(values_of(halves), (std::vector<double>{-1024, -512, 1023.5}));
}

TEST(Dicom, MonochromeOneIsTurnedRound) {
  DicomItem item = grey_dicom(1, 3, {0, 1, 255}, 8);
  item.text(kPhotometric, "CS", "MONOCHROME1");
  EXPECT_EQ(values_of(decode(item)), (std::vector<double>{255, 254, 0}));
  item.text(kCentre, "DS", "64").text(kWidth, "DS", "128");  // 0 to 127, of the values as stored
  EXPECT_EQ(shown(item), (std::vector<int>{255, 253, 0}));
  DicomItem rescaled = grey_dicom(1, 3, {0, 1, 4095});
  rescaled.text(kPhotometric, "CS", "MONOCHROME1")
      .number(kBitsStored, 12)
      .number(kHighBit, 11)
      .text(kIntercept, "DS", "-1000");
  EXPECT_EQ(values_of(decode(rescaled)), (std::vector<double>{3095, 3094, -1000}));
}

TEST(Dicom, TheFilesWindowIsWhatIsShown) {
  DicomItem item = grey_dicom(1, 5, {0, 1000, 1100, 1199, 4000});
  item.text(kCentre, "DS", "1100\\40").text(kWidth, "DS", "201\\400");
  // The standard's LINEAR: black up to 999.5, white from 1199.5 on.
  EXPECT_EQ(shown(item), (std::vector<int>{0, 1, 128, 254, 255}));
  item.text(0x00281056, "CS", "LINEAR_EXACT");
  EXPECT_EQ(shown(item), (std::vector<int>{0, 1, 128, 253, 255}));
  item.text(0x00281056, "CS", "SIGMOID");
  EXPECT_EQ(shown(item), (std::vector<int>{0, 31, 128, 224, 255}));
  EXPECT_EQ(shown(item, {.rule = IntensityRule::kWindow, .low = 1000, .high = 1100}),
            (std::vector<int>{0, 0, 255, 255, 255}))
      << "a window that is asked for comes first";
  EXPECT_EQ(shown(item, {.rule = IntensityRule::kRange}), (std::vector<int>{0, 64, 70, 76, 255}));
}

TEST(Dicom, AWindowIsOfRescaledValues) {
  DicomItem item = grey_dicom(1, 3, {1024, 1064, 1104});
  item.text(kIntercept, "DS", "-1024").text(kCentre, "DS", "40.5").text(kWidth, "DS", "81");
  EXPECT_EQ(shown(item), (std::vector<int>{0, 128, 255}));
}

TEST(Dicom, LookupTables) {
  const DicomItem table =
      DicomItem()
          .raw(0x00283002, "US", little(3, 2) + little(10, 2) + little(8, 2))
          .raw(0x00283006, "US", little(0, 2) + little(100, 2) + little(255, 2));
  DicomItem item = grey_dicom(1, 4, {0, 10, 11, 500});
  item.sequence(0x00283010, {table}).text(kCentre, "DS", "1").text(kWidth, "DS", "1");
  EXPECT_EQ(shown(item), (std::vector<int>{0, 0, 100, 255})) << "VOI";
  DicomItem meaning = grey_dicom(1, 4, {0, 10, 11, 500});
  meaning.sequence(0x00283000, {table});
  EXPECT_EQ(values_of(decode(meaning)), (std::vector<double>{0, 0, 100, 255})) << "modality";
  DicomItem short_table = table;
  short_table.raw(0x00283006, "US", little(0, 2));
  item.sequence(0x00283010, {short_table});
  expect_refused(dicom_file(item), "lookup table of 3 entries");
  for (const std::uint64_t count : {65536U, 70000U}) {  // more than the standard's 16 bits hold
    DicomItem wide = table;
    wide.raw(0x00283002, "UL", little(count, 4) + little(0, 4) + little(16, 4));
    meaning.sequence(0x00283000, {wide});
    expect_refused(dicom_file(meaning), std::to_string(count) + " entries");
  }
}

TEST(Dicom, AVoiTableIsOfRescaledValues) {
  const DicomItem table =
      DicomItem()
          .raw(0x00283002, "US", little(3, 2) + little(65536 - 1000, 2) + little(8, 2))
          .raw(0x00283006, "US", little(0, 2) + little(100, 2) + little(255, 2));
  DicomItem item = grey_dicom(1, 4, {0, 24, 25, 26});
  item.text(kIntercept, "DS", "-1024").sequence(0x00283010, {table});
  EXPECT_EQ(shown(item), (std::vector<int>{0, 0, 100, 255}));
}

TEST(Dicom, AWindowBeyondAllNumbersIsNone) {
  DicomItem item = grey_dicom(1, 2, {0, 65535});
  item.text(kCentre, "DS", "1e308").text(kWidth, "DS", "1.7e308");
  for (const char* function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}) {
    item.text(0x00281056, "CS", function);
    EXPECT_EQ(shown(item), (std::vector<int>{0, 255})) << function;
  }
  item.text(0x00281056, "CS", "LINEAR_EXACT");
  item.text(kCentre, "DS", "5e-311").text(kWidth, "DS", "1e-310");
  EXPECT_EQ(shown(item), (std::vector<int>{0, 255}));
}

TEST(Dicom, Colours) {
  const Picture rgb = decode(colour_dicom("RGB", bytes_of({1, 2, 3, 4, 5, 6})));
  EXPECT_EQ(values_of(rgb), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  DicomItem planes = colour_dicom("RGB", bytes_of({1, 4, 2, 5, 3, 6}));
  planes.number(kPlanar, 1);
  EXPECT_EQ(values_of(decode(planes)), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  // Pure red, and grey.
  const Picture full = decode(colour_dicom("YBR_FULL", bytes_of({76, 85, 255, 100, 128, 128})));
  EXPECT_EQ(values_of(full), (std::vector<double>{254, 0, 0, 100, 100, 100}));
  const Picture half = decode(colour_dicom("YBR_FULL_422", bytes_of({50, 60, 128, 128})));
  EXPECT_EQ(values_of(half), (std::vector<double>{50, 50, 50, 60, 60, 60}));
  expect_refused(dicom_file(colour_dicom("YBR_PARTIAL_420", bytes_of({1, 2, 3, 4, 5, 6}))),
                 "YBR_PARTIAL_420");
}

TEST(Dicom, APaletteKeepsItsIndices) {
  DicomItem item = grey_dicom(1, 3, {0, 1, 2}, 8);
  item.text(kPhotometric, "CS", "PALETTE COLOR");
  for (std::uint32_t c = 0; c < 3; ++c) {
    item.raw(0x00281101 + c, "US", little(2, 2) + little(0, 2) + little(16, 2));
    item.raw(0x00281201 + c, "OW", little(0, 2) + little(c == 0 ? 0xFFFF : 0x8080, 2));
  }
  const Picture picture = decode(item);
  EXPECT_EQ(values_of(picture), (std::vector<double>{0, 1, 2}));
  ASSERT_EQ(picture.palette.size(), 256U);
  EXPECT_EQ(picture.palette[0], (std::array<std::uint8_t, 3>{0, 0, 0}));
  EXPECT_EQ(picture.palette[1], (std::array<std::uint8_t, 3>{255, 128, 128}));
  EXPECT_EQ(picture.palette[2], picture.palette[1]) << "beyond the table its last entry counts";
  EXPECT_EQ(shown(item), (std::vector<int>{0, 255, 255}));
  item.remove(0x00281202);
  expect_refused(dicom_file(item), "lookup table");
}

TEST(Dicom, SpacingAndFrames) {
  DicomItem item = grey_dicom(1, 2, {1, 2, 3, 4});
  item.text(0x00280008, "IS", "2").text(0x00181164, "DS", "0.1\\0.2");
  Picture picture = decode(item);
  EXPECT_EQ(picture.pages, 2);
  EXPECT_EQ(values_of(picture), (std::vector<double>{1, 2})) << "the first frame";
  EXPECT_DOUBLE_EQ(picture.geometry.row_spacing, 0.1);
  EXPECT_DOUBLE_EQ(picture.geometry.column_spacing, 0.2);
  item.text(0x00280030, "DS", "0.3\\0.4");
  picture = decode(item);
  EXPECT_DOUBLE_EQ(picture.geometry.row_spacing, 0.3) << "in the patient, not on the detector";
  const DicomItem measures = DicomItem().text(0x00280030, "DS", "0.5\\0.6");
  const DicomItem shared = DicomItem().sequence(0x00289110, {measures});
  picture = decode(item.sequence(0x52009229, {shared}));
  EXPECT_DOUBLE_EQ(picture.geometry.column_spacing, 0.6) << "of an enhanced file";
}

TEST(Dicom, SingleBitsAreBlackAndWhite) {
  DicomItem item = grey_dicom(1, 10, {}, 8);
  item.number(0x00280100, 1).number(kBitsStored, 1).number(kHighBit, 0);
  item.raw(kPixels, "OB", bytes_of({0b10000101, 0b10}));
  EXPECT_EQ(values_of(decode(item)), (std::vector<double>{255, 0, 255, 0, 0, 0, 0, 255, 0, 255}));
}

TEST(Dicom, EveryCutFileIsRefused) {
  const std::string whole = dicom_file(grey_dicom(4, 4, std::vector<std::int64_t>(16, 9)));
  for (std::size_t size = 133; size < whole.size(); ++size) {
    expect_refused(whole.substr(0, size), "");
  }
  expect_refused(whole.substr(0, whole.size() - 1),
                 "(7fe0,0010) states 32 bytes, and 31 are there");
  EXPECT_EQ(values_of(decode_picture(whole + std::string(7, '\0'), "a.dcm")).size(), 16U)
      << "padding";
}

TEST(Dicom, HostileHeadersAreRefused) {
  const DicomItem good = grey_dicom(2, 2, {1, 2, 3, 4});
  DicomItem huge = good;
  expect_refused(dicom_file(huge.number(kRows, 65535).number(0x00280011, 65535)), "65535x65535");
  expect_refused(dicom_file(good), "the limit is", {.max_pixels = 3});
  DicomItem tall = good;
  expect_refused(dicom_file(tall.number(kRows, 3)), "too few for 1 frame");
  DicomItem none = good;
  expect_refused(dicom_file(none.number(kRows, 0)), "2x0 pixels");
  DicomItem missing = good;
  expect_refused(dicom_file(missing.remove(kRows)), "does not state Rows");
  DicomItem bits = good;
  expect_refused(dicom_file(bits.number(kHighBit, 3)), "bit 3");
  DicomItem wide = good;
  expect_refused(dicom_file(wide.number(0x00280100, 64)), "samples of 64 bits");
  DicomItem empty = good;
  expect_refused(dicom_file(empty.remove(kPixels)),
                 "without pixels (SecondaryCaptureImageStorage)");
  DicomItem floats = empty;
  expect_refused(dicom_file(floats.raw(0x7FE00008, "OF", std::string(16, '\0'))), "floating-point");
}

TEST(Dicom, HostileStructureIsRefused) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {  // sequences and items of undefined length
    deep += little(0x11400008, 4) + "SQ" + little(0, 2) + little(0xFFFFFFFF, 4);
    deep += little(0xE000FFFE, 4) + little(0xFFFFFFFF, 4);
  }
  expect_refused(dicom_start() + deep, "nested deeper than 64");
  const std::string endless =
      little(0x00100028, 4) + "UN" + little(0, 2) + little(0xFFFFFFF0, 4) + "short";
  expect_refused(dicom_start() + endless, "(0028,0010) states 4294967280 bytes");
  expect_refused(dicom_start() + little(0x00100028, 4) + "ZZ" + std::string(20, '\1'),
                 "no value representation");
  // Zeros are padding, unless something follows: looking for it at each of a million elements takes
  // hours.
  expect_refused(dicom_start("1.2.840.10008.1.2") + std::string(8'100'000, '\0') + '\1',
                 "more than a million elements");
  std::string named;  // by who has reserved a private element: a sequence by the dictionary
  for (int i = 0; i < 100; ++i) {
    const std::string creator = "CARDIO-D.R. 1.0 ";
    const std::string item = little(0xE000FFFE, 4) + little(named.size(), 4) + named;
    named = little(0x00100029, 4) + little(creator.size(), 4) + creator + little(0x10000029, 4) +
            little(item.size(), 4) + item;
  }
  expect_refused(dicom_start("1.2.840.10008.1.2") + named, "nested deeper than 64");
  const std::string creator = little(0x00100029, 4) + little(2, 4) + "A ";
  expect_refused(dicom_start("1.2.840.10008.1.2") + creator + creator, "is there twice");
  // DCMTK reads such an element's representation, and an item's end wherever it stands.
  expect_refused(dicom_start() + little(0x0001FFFE, 4) + "SQ" + little(0, 2) + little(0, 4),
                 "stands among those of an item");
  expect_refused(dicom_start() + little(0xE00DFFFE, 4) + little(0, 4) + "more",
                 "stands among those of an item");
  expect_refused(dicom_start("1.2.3.4.5"), "transfer syntax '1.2.3.4.5' is unknown");
  expect_refused(dicom_start().substr(0, 132), "states no transfer syntax");
  expect_refused(dicom_start("1.2.840.10008.1.2.1.99") + "no deflate stream", "damaged");
  const std::string whole = dicom_file(grey_dicom(2, 2, {1, 2, 3, 4}));
  expect_refused(dicom_file(grey_dicom(2, 2, {1, 2, 3, 4}), "1.2.840.10008.1.2.2"), "");
}

TEST(Dicom, WhatIsNotDecodedIsNamed) {
  const std::string header =
      dicom_file(grey_dicom(2, 2, {}).remove(kPixels), "1.2.840.10008.1.2.4.92");
  const std::string fragments = little(0xE000FFFE, 4) + little(0, 4) + little(0xE000FFFE, 4) +
                                little(4, 4) + "code" + little(0xE0DDFFFE, 4) + little(0, 4);
  expect_refused(
      header + little(0x00107FE0, 4) + "OB" + little(0, 2) + little(0xFFFFFFFF, 4) + fragments,
      "(1.2.840.10008.1.2.4.92) is not decoded");
}

TEST(Dicom, EveryFrameHasTheSizeOfTheHeader) {
  std::string bytes = read_file(std::filesystem::path(LEAF_FIXTURES) / "dicom/jpegls-frames.dcm");
  const std::size_t last = bytes.rfind("\xFF\xF7");  // its frame header: length, bits, height
  ASSERT_NE(last, bytes.npos);
  bytes[last + 6] = static_cast<char>(bytes[last + 6] + 100);
  dicom::DicomFile file(bytes, dicom::most_unpacked(1000));
  const std::string message = test::message_of<DataError>([&] { file.pixels(false); });
  EXPECT_NE(message.find("its header states 20x13 pixels, its frame 20x113"), std::string::npos)
      << message;
  EXPECT_EQ(decode_picture(bytes, "a.dcm").pages, 3) << "the first is as it was";
}

TEST(Dicom, HostileFramesAreRefused) {
  const auto refused = [](const std::string& stream, const std::string& why) {
    const std::string header =
        dicom_file(grey_dicom(16, 16, {}, 8).remove(kPixels), "1.2.840.10008.1.2.4.50");
    const std::size_t size = std::min(stream.size(), stream.find(little(0xE000FFFE, 4)));
    const std::string fragment = little(0xE000FFFE, 4) + little(size, 4) + stream;
    expect_refused(header + little(0x00107FE0, 4) + "OB" + little(0, 2) + little(0xFFFFFFFF, 4) +
                       little(0xE000FFFE, 4) + little(0, 4) + fragment + little(0xE0DDFFFE, 4) +
                       little(0, 4),
                   why);
  };
  const auto frame = [](const std::string& marker, std::uint8_t side) {
    return marker + std::string("\0\x0B\x08\0", 4) + static_cast<char>(side) + '\0' +
           static_cast<char>(side) + std::string("\1\1\x11\0", 4);
  };
  // DCMTK looks for a frame header for ever, with or without the start of an image before it.
  refused("\xFF\xD8\xFF\x01" + std::string(6, '\0'), "a marker that no file may have");
  refused("\xFF\x01" + std::string(6, '\0'), "do not begin with a frame");
  refused("\xFF\xD8\xFF\x03\xFF\x01" + std::string(6, '\0'), "a marker that no file may have");
  refused("\xFF\xD8" + frame("\xFF\xF7", 16) + "\xFF\x01" + std::string(6, '\0'),
          "a marker that no file may have");  // JPEG-LS's frame header is none of JPEG's
  refused("no frame", "do not begin with a frame");
  refused("\xFF\xD8\xFF\xD9", "no header at its beginning");
  refused("\xFF\xD8" + frame("\xFF\xC0", 99), "16x16 pixels, its frame 99x99");
  refused("\xFF\xD8\xFF\xD0" + frame("\xFF\xC0", 99), "its frame 99x99");
  refused("\xFF\xD8\xFF\xD0" + frame("\xFF\xC2", 16) + '\0', "progressive JPEG");
  std::string scans = "\xFF\xD8" + frame("\xFF\xC0", 16);
  for (int i = 0; i < 504; ++i) {
    scans += std::string("\xFF\xDA\0\x08\1\1\0\0\x3F\0", 10);
  }
  refused(scans + '\0', "more than 503 scans");
  const std::string good = "\xFF\xD8" + frame("\xFF\xC0", 16) + '\0';
  const std::string next = little(0xE000FFFE, 4);
  refused(good.substr(0, good.size() - 1) + '\xFF' + next + little(2, 4) + "\xD8 ",
          "in two pieces");
  std::string pieces = good;
  for (int i = 0; i < 100'000; ++i) {
    pieces += next + little(0, 4);
  }
  refused(pieces, "100001 pieces, and the limit is 100000");
}

TEST(Dicom, FilesWithoutEndingAreImages) {
  const test::TemporaryFolder folder;
  const std::string bytes = dicom_file(grey_dicom(2, 2, {1, 2, 3, 4}, 8));
  for (const char* name : {"IM0001", "a.dcm", "B.DCM", "DICOMDIR", "c.txt"}) {
    write_file(folder / name, bytes);
  }
  write_file(folder / "README", "no picture");
  const auto images = list_images(folder / "", true);
  std::vector<std::string> names;
  for (const auto& image : images) {
    names.push_back(image.filename().string());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"B.DCM", "IM0001", "a.dcm"}));
}

}  // namespace leaf::data
