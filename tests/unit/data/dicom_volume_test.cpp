#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/volume.h"
#include "support/dicom_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

namespace fs = std::filesystem;
using test::DicomItem;
using test::TemporaryFolder;

constexpr const char* kAxial = "1\\0\\0\\0\\1\\0";

/// 2 x 3 pixels, of values 10 z, 10 z + 1, ..., at the height z.
DicomItem slice_at(double z, const std::string& directions = kAxial) {
  std::vector<std::int64_t> values;
  for (int i = 0; i < 6; ++i) {
    values.push_back(static_cast<std::int64_t>(10 * z) + i);
  }
  DicomItem item = test::grey_dicom(2, 3, values);
  return item.text(0x00280030, "DS", "0.5\\0.75")
      .text(0x00200037, "DS", directions)
      .text(0x00200032, "DS", "1\\2\\" + std::to_string(z));
}

void add(const TemporaryFolder& folder, const std::string& name, const DicomItem& item) {
  write_file(folder / name, test::dicom_file(item));
}

/// A raw deflate stream, as of a compressed data set.
std::string deflated(std::string bytes) {
  z_stream stream{};
  constexpr int kRaw = -15;
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kRaw, 9, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string error_of(const TemporaryFolder& folder) {
  return test::message_of<DataError>([&] { open_volume(folder / ""); });
}

}  // namespace

TEST(DicomVolume, SlicesAreInTheOrderOfTheirPlaces) {
  const TemporaryFolder folder;
  add(folder, "a.dcm", slice_at(4));
  add(folder, "b", slice_at(2));
  add(folder, "c.77", slice_at(6));
  write_file(folder / "notes.txt", "no slice");
  const auto volume = open_volume(folder / "");
  EXPECT_EQ(volume->geometry().size, (std::array<std::int64_t, 3>{3, 2, 3}));
  const std::array<std::array<double, 4>, 3> affine{
      {{-0.75, 0, 0, -1}, {0, -0.5, 0, -2}, {0, 0, 2, 2}}};
  EXPECT_EQ(volume->geometry().affine, affine);
  ASSERT_EQ(volume->slices(), 3);
  for (std::int64_t i = 0; i < 3; ++i) {
    const at::Tensor samples = volume->slice(i).samples.select(2, 0);
    EXPECT_TRUE(samples.equal(at::arange(6, at::kInt).view({2, 3}) + 20 * (i + 1))) << i;
  }
  const auto frames = volume->dicom_frames();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].file.filename(), "b");
  EXPECT_EQ(frames[2].file.filename(), "c.77");
  EXPECT_EQ(volume->span().high, 65);
}

TEST(DicomVolume, SlicesAreShownUpright) {
  const TemporaryFolder folder;
  // Coronal, with columns towards the head: upside down for a viewer.
  add(folder, "a", slice_at(0, "1\\0\\0\\0\\0\\1"));
  const auto volume = open_volume(folder / "");
  EXPECT_TRUE(
      volume->slice(0).samples.select(2, 0).equal(at::arange(6, at::kInt).view({2, 3}).flip(0)));
}

TEST(DicomVolume, FramesOfOneFile) {
  const TemporaryFolder folder;
  DicomItem item = test::grey_dicom(1, 2, {20, 21, 10, 11});
  const auto groups = [](const std::string& z) {
    return DicomItem().sequence(0x00209113, {DicomItem().text(0x00200032, "DS", "0\\0\\" + z)});
  };
  const DicomItem shared = DicomItem()
                               .sequence(0x00209116, {DicomItem().text(0x00200037, "DS", kAxial)})
                               .sequence(0x00289110, {DicomItem().text(0x00280030, "DS", "1\\1")});
  item.text(0x00280008, "IS", "2")
      .sequence(0x52009229, {shared})
      .sequence(0x52009230, {groups("5"), groups("2")});
  add(folder, "enhanced.dcm", item);
  const auto volume = open_volume(folder / "");
  EXPECT_EQ(volume->slice(0).samples[0][0].item<int>(), 10) << "the frame that lies lowest";
  EXPECT_EQ(volume->slice(1).samples[0][1].item<int>(), 21);
  EXPECT_EQ(volume->dicom_frames()[0].frame, 1);
  EXPECT_EQ(volume->geometry().affine[2][2], 3);
}

TEST(DicomVolume, DistancesAreThoseThatTheFileStates) {
  const TemporaryFolder folder;
  add(folder, "one/a", slice_at(4).text(0x00180050, "DS", "5"));
  EXPECT_EQ(open_volume(folder / "one")->geometry().affine[2][2], 5) << "of a single slice";
  DicomItem film = test::grey_dicom(1, 2, {20, 21, 10, 11});
  film.text(0x00280008, "IS", "2").text(0x00280030, "DS", "4\\3").text(0x00180088, "DS", "2.5");
  add(folder, "film/a", film);
  const auto volume = open_volume(folder / "film");
  const std::array<std::array<double, 4>, 3> affine{{{-3, 0, 0, 0}, {0, -4, 0, 0}, {0, 0, 2.5, 0}}};
  EXPECT_EQ(volume->geometry().affine, affine) << "of frames that lie nowhere";
}

TEST(DicomVolume, WhatIsNoSeriesIsRefused) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of(folder).find("holds no DICOM files"), std::string::npos);
  add(folder, "a", slice_at(1));
  const auto expect = [&](const DicomItem& other, const std::string& part) {
    add(folder, "b", other);
    const std::string message = error_of(folder);
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("'b'"), std::string::npos) << message;
    EXPECT_EQ(message.find("Secret"), std::string::npos) << message;
  };
  expect(slice_at(2).text(0x0020000E, "UI", "1.2.3.99"), "belong to different series");
  expect(slice_at(1), "lie at the same place");
  expect(slice_at(2, "1\\0\\0\\0\\0\\1"), "different directions");
  expect(slice_at(2).text(0x00280030, "DS", "0.5\\0.5"), "the distance of their pixels");
  expect(slice_at(2).remove(0x00200032), "does not state where its slice lies");
  expect(slice_at(2).remove(0x00280010), "does not state Rows");
}

TEST(DicomVolume, FramesThatAreNotThereAreRefused) {
  const TemporaryFolder folder;
  DicomItem item = slice_at(1);
  add(folder, "a", item.text(0x00280008, "IS", "2147483647"));
  EXPECT_NE(error_of(folder).find("3x2x2147483647 voxels, and the limit is"), std::string::npos);
  add(folder, "a", item.text(0x00280008, "IS", "100000000"));
  EXPECT_NE(error_of(folder).find("12 bytes, too few for 100000000 frames"), std::string::npos);
  const std::string fragments = test::little(0xE000FFFE, 4) + test::little(0, 4) +
                                test::little(0xE000FFFE, 4) + test::little(4, 4) + "code" +
                                test::little(0xE0DDFFFE, 4) + test::little(0, 4);
  write_file(folder / "a", test::dicom_file(item.remove(0x7FE00010), "1.2.840.10008.1.2.5") +
                               test::little(0x00107FE0, 4) + "OB" + test::little(0, 2) +
                               test::little(0xFFFFFFFF, 4) + fragments);
  EXPECT_NE(error_of(folder).find("100000000 frames, and its pixels are 1 fragment"),
            std::string::npos);
}

TEST(DicomVolume, WhatUnpacksBeyondTheLimitIsRefused) {
  const TemporaryFolder folder;
  // Zeros behind a slice's elements.
  const std::string bytes = deflated(slice_at(1).bytes() + std::string(70'000'000, '\0'));
  write_file(folder / "a", test::dicom_start("1.2.840.10008.1.2.1.99") + bytes);
  const std::string message = test::message_of<DataError>(
      [&] { open_volume(folder / "", {.limits = {.max_voxels = 1000}}); });
  EXPECT_NE(message.find("unpacks to more than"), std::string::npos) << message;
}

}  // namespace leaf::data
