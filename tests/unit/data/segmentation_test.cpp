#include "data/dicom/segmentation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "data/dicom/dicom_file.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"
#include "support/dicom_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data::dicom {
namespace {

namespace fs = std::filesystem;
using test::DicomItem;

constexpr std::int64_t kHeight = 5;
constexpr std::int64_t kWidth = 7;

DicomItem source_item(int number) {
  DicomItem item =
      test::grey_dicom(kHeight, kWidth, std::vector<std::int64_t>(kHeight * kWidth, 3));
  item.text(0x00080018, "UI", "1.2.3.4." + std::to_string(number));
  return item;
}

DicomItem with_geometry(DicomItem item, int number) {
  return item.text(0x00200052, "UI", "1.2.9")
      .text(0x00280030, "DS", "0.5\\0.75")
      .text(0x00200037, "DS", "1\\0\\0\\0\\1\\0")
      .text(0x00200032, "DS", "0\\0\\" + std::to_string(2 * number));
}

/// Labels 0 to classes - 1, different in every frame.
at::Tensor some_labels(std::int64_t frames, std::int64_t height, std::int64_t width,
                       std::int64_t classes) {
  const at::Tensor f = at::arange(frames).view({-1, 1, 1});
  const at::Tensor y = at::arange(height).view({1, -1, 1});
  const at::Tensor x = at::arange(width);
  return (x + 2 * y + 3 * f).remainder(classes).to(at::kByte);
}

MaskClasses three_classes() {
  return {.list = {{"background", {0}}, {"liver", {1}}, {"tumour", {2}}}};
}

DicomFile open(const fs::path& path) {
  return {read_file(path), std::numeric_limits<std::int64_t>::max()};
}

/// The pixels of frame `index` as bits.
at::Tensor frame_of(DicomFile& file, std::int64_t index) {
  const std::string_view bytes = file.pixels(false);
  at::Tensor mask = at::empty({kHeight, kWidth}, at::kBool);
  auto* to = mask.mutable_data_ptr<bool>();
  for (std::int64_t i = 0; i < mask.numel(); ++i) {
    const auto bit = static_cast<std::size_t>(index * mask.numel() + i);
    to[i] = (static_cast<unsigned char>(bytes[bit / 8]) >> (bit % 8) & 1U) != 0;
  }
  return mask;
}

}  // namespace

TEST(Segmentation, OfOneImageRefersToIt) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.dcm", test::dicom_file(source_item(1)));
  const at::Tensor labels = some_labels(1, kHeight, kWidth, 2).mul(255);
  write_segmentation(folder / "seg.dcm", {{.file = folder / "a.dcm"}}, labels, {});
  EXPECT_TRUE(read_picture(folder / "seg.dcm").samples.select(2, 0).equal(labels[0]));
  DicomFile file = open(folder / "seg.dcm");
  DcmDataset& seg = file.data_set();
  EXPECT_EQ(text(seg, DCM_Modality), "SEG");
  EXPECT_EQ(text(seg, DCM_PatientID), "SECRETID") << "it belongs to the patient";
  EXPECT_EQ(text(seg, DCM_StudyInstanceUID), "1.2.3");
  EXPECT_NE(text(seg, DCM_SeriesInstanceUID), "1.2.3.1");
  EXPECT_TRUE(text(seg, DCM_SOPInstanceUID).starts_with("2.25."));
  EXPECT_EQ(whole_number(seg, DCM_NumberOfFrames), 1);
  DcmItem& derivation = group_of(seg, DCM_DerivationImageSequence, 0);
  DcmItem* image = nullptr;
  ASSERT_TRUE(derivation.findAndGetSequenceItem(DCM_SourceImageSequence, image).good());
  EXPECT_EQ(text(*image, DCM_ReferencedSOPInstanceUID), "1.2.3.4.1");
  EXPECT_FALSE(seg.tagExists(DCM_FrameOfReferenceUID)) << "the image has none";
}

TEST(Segmentation, OfASeriesHasItsGeometryAndEveryClass) {
  const test::TemporaryFolder folder;
  std::vector<DicomFrame> sources;
  for (int i = 0; i < 3; ++i) {
    const fs::path path = folder / (std::to_string(i) + ".dcm");
    test::DicomItem item = with_geometry(source_item(i), i);
    if (i == 1) {  // the same in other digits
      item.text(0x00280030, "DS", "0.50\\0.750");
    }
    write_file(path, test::dicom_file(item));
    sources.push_back({.file = path});
  }
  const at::Tensor labels = some_labels(3, kHeight, kWidth, 3);
  write_segmentation(folder / "seg.dcm", sources, labels, three_classes());
  DicomFile file = open(folder / "seg.dcm");
  DcmDataset& seg = file.data_set();
  EXPECT_EQ(text(seg, DCM_FrameOfReferenceUID), "1.2.9");
  EXPECT_EQ(whole_number(seg, DCM_NumberOfFrames), 6);
  EXPECT_EQ(text(group_of(seg, DCM_PixelMeasuresSequence, 0), DCM_PixelSpacing), "0.5\\0.75");
  for (std::int64_t segment = 1; segment <= 2; ++segment) {
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::int64_t frame = 3 * (segment - 1) + i;
      EXPECT_TRUE(frame_of(file, frame).equal(labels[i].eq(segment))) << frame;
      EXPECT_EQ(whole_number(group_of(seg, DCM_SegmentIdentificationSequence, frame),
                             DCM_ReferencedSegmentNumber),
                segment);
      EXPECT_EQ(text(group_of(seg, DCM_PlanePositionSequence, frame), DCM_ImagePositionPatient),
                "0\\0\\" + std::to_string(2 * i));
    }
  }
  DcmItem* segment = nullptr;
  ASSERT_TRUE(seg.findAndGetSequenceItem(DCM_SegmentSequence, segment, 1).good());
  EXPECT_EQ(text(*segment, DCM_SegmentLabel), "tumour");
  EXPECT_EQ(text(*segment, DCM_SegmentAlgorithmType), "AUTOMATIC");
}

TEST(Segmentation, OfALossyImageSaysSo) {
  const test::TemporaryFolder folder;
  const at::Tensor labels = some_labels(2, kHeight, kWidth, 2);
  DicomItem lossy = source_item(2);
  lossy.text(0x00282110, "CS", "01")
      .text(0x00282112, "DS", "12.5")
      .text(0x00282114, "CS", "ISO_10918_1");
  write_file(folder / "a", test::dicom_file(source_item(1)));
  write_file(folder / "b", test::dicom_file(lossy));
  write_segmentation(folder / "seg.dcm", {{.file = folder / "a"}, {.file = folder / "b"}}, labels,
                     {});
  DicomFile file = open(folder / "seg.dcm");
  EXPECT_EQ(text(file.data_set(), DCM_LossyImageCompression), "01");
  EXPECT_EQ(text(file.data_set(), DCM_LossyImageCompressionRatio), "12.5");
  EXPECT_EQ(text(file.data_set(), DCM_LossyImageCompressionMethod), "ISO_10918_1");
  write_segmentation(folder / "seg.dcm", {{.file = folder / "a"}}, labels.narrow(0, 0, 1), {});
  EXPECT_EQ(text(open(folder / "seg.dcm").data_set(), DCM_LossyImageCompression), "00");
}

TEST(Segmentation, WhatCannotBeReferredToIsRefused) {
  const test::TemporaryFolder folder;
  const at::Tensor labels = some_labels(1, kHeight, kWidth, 2);
  const auto error_of = [&](const std::string& bytes, const at::Tensor& mask) {
    write_file(folder / "a", bytes);
    return test::message_of<DataError>(
        [&] { write_segmentation(folder / "seg.dcm", {{.file = folder / "a"}}, mask, {}); });
  };
  const auto expect = [&](const std::string& bytes, const std::string& part,
                          const at::Tensor& mask) {
    const std::string message = error_of(bytes, mask);
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find((folder / "a").string()), std::string::npos) << message;
    EXPECT_EQ(message.find("Secret"), std::string::npos) << message;
    EXPECT_FALSE(fs::exists(folder / "seg.dcm"));
  };
  expect("\x89PNG and so on", "it is no DICOM file", labels);
  expect(test::dicom_file(source_item(1)), "it is 7x5 and its mask is 6x5", labels.narrow(2, 0, 6));
  expect(test::dicom_file(source_item(1).remove(0x00080018)), "SOP instance", labels);
}

}  // namespace leaf::data::dicom
