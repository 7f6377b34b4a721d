#include <gtest/gtest.h>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"
#include "support/dicom_bytes.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::infer;
using test::TinyProject;

/// A phantom as a DICOM file of a patient.
std::string phantom_dicom(std::int64_t index, std::int64_t height, std::int64_t width) {
  const at::Tensor pixels = test::phantom(index, height, width);
  test::DicomItem item = test::grey_dicom(static_cast<std::uint64_t>(height),
                                          static_cast<std::uint64_t>(width), {}, 8);
  item.number(0x00280002, 3)
      .text(0x00280004, "CS", "RGB")
      .number(0x00280006, 0)
      .raw(0x7FE00010, "OB",
           {static_cast<const char*>(pixels.const_data_ptr()),
            static_cast<std::size_t>(pixels.nbytes())});
  return test::dicom_file(item);
}

/// Slices of a series whose file names are in another order than its places; the distance is 2.5
/// mm.
void write_series(const fs::path& folder, int slices, std::int64_t height, std::int64_t width) {
  for (int place = 0; place < slices; ++place) {
    const at::Tensor grey = test::phantom(place, height, width).select(2, 0).contiguous();
    test::DicomItem item = test::grey_dicom(static_cast<std::uint64_t>(height),
                                            static_cast<std::uint64_t>(width), {}, 8);
    item.raw(0x7FE00010, "OB",
             {static_cast<const char*>(grey.const_data_ptr()),
              static_cast<std::size_t>(grey.nbytes())})
        .text(0x00080018, "UI", "1.2.3.4." + std::to_string(place))
        .text(0x00200052, "UI", "1.2.9")
        .text(0x00280030, "DS", "0.5\\0.75")
        .text(0x00200037, "DS", "1\\0\\0\\0\\1\\0")
        .text(0x00200032, "DS", "10\\20\\" + std::to_string(2.5 * place));
    write_file(folder / (std::to_string(slices - place) + ".dcm"), test::dicom_file(item));
  }
}

bool tells_the_patient(const std::string& text) {
  return text.find("Secret") != std::string::npos || text.find("SECRETID") != std::string::npos;
}

}  // namespace

TEST(InferDicom, AFolderOfDicomFilesIsOneOfPictures) {
  const TinyProject project;
  project.with_model();
  write_file(project / "in/a.dcm", phantom_dicom(1, 40, 56));
  write_file(project / "in/sub/IM1", phantom_dicom(2, 90, 30));
  write_file(project / "in/sub/CT.1.2.840.1", phantom_dicom(2, 90, 30));
  write_file(project / "in/sub/CT.1.2.840.2", phantom_dicom(3, 90, 30));
  data::write_png(project / "png/a.png", test::phantom(1, 40, 56));
  ASSERT_EQ(infer(project, {"png"}, "from-png").exit_code, 0);
  const auto outcome = infer(project, {"in"}, "out", {"--dicom-seg"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  test::expect_mask(project / "out/sub/IM1.png", 90, 30);
  test::expect_mask(project / "out/sub/CT.1.2.840.1.png", 90, 30);
  test::expect_mask(project / "out/sub/CT.1.2.840.2.png", 90, 30);
  EXPECT_EQ(read_file(project / "out/a.png"), read_file(project / "from-png/a.png"));
  const at::Tensor mask = data::read_mask(project / "out/a.png");
  EXPECT_TRUE(data::read_mask(project / "out/dicom-seg/a.dcm").ne(0).equal(mask.ne(0)));
  EXPECT_TRUE(fs::exists(project / "out/dicom-seg/sub/IM1.dcm"));
  EXPECT_EQ(project.json("out/summary.json")["options"]["dicom_seg"], true);
  const auto again = infer(project, {"out"}, "again");
  EXPECT_EQ(project.json("again/summary.json")["images"].size(), 4U)
      << "segmentations are no images\n"
      << again.err;
}

TEST(InferDicom, NothingTellsThePatientButTheSegmentation) {
  const TinyProject project;
  project.with_model();
  write_file(project / "in/a.dcm", phantom_dicom(1, 40, 56));
  write_file(project / "in/cut.dcm", phantom_dicom(2, 40, 56).substr(0, 900));
  const auto outcome =
      infer(project, {"in"}, "out", {"--dicom-seg", "--overlays", "--contours", "--verbose"});
  EXPECT_EQ(outcome.exit_code, 1) << "a file is damaged";
  EXPECT_FALSE(tells_the_patient(outcome.out + outcome.err)) << outcome.err;
  EXPECT_NE(outcome.err.find("cut.dcm"), std::string::npos);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(project / "out")) {
    if (entry.is_regular_file()) {
      const bool is_segmentation = entry.path().parent_path().filename() == "dicom-seg";
      EXPECT_EQ(tells_the_patient(read_file(entry.path())), is_segmentation) << entry.path();
      ++files;
    }
  }
  EXPECT_GE(files, 6) << "mask, overlay, contours, segmentation, audit and summary";
}

TEST(InferDicom, AFolderIsAVolumeWhereThatIsAskedFor) {
  const TinyProject project;
  project.with_model();
  write_series(project / "in/scan", 3, 40, 56);
  const auto pictures = infer(project, {"in"}, "pictures");
  EXPECT_NE(pictures.err.find("each a picture; --dicom-series takes them as the slices"),
            std::string::npos)
      << pictures.err;
  const auto outcome = infer(project, {"in"}, "out", {"--dicom-series", "--dicom-seg"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("each a picture"), std::string::npos) << outcome.err;
  const auto mask = data::open_volume(project / "out/scan.nii.gz");
  EXPECT_EQ(mask->geometry().size, (std::array<std::int64_t, 3>{56, 40, 3}));
  const std::array<std::array<double, 4>, 3> affine{
      {{-0.75, 0, 0, -10}, {0, -0.5, 0, -20}, {0, 0, 2.5, 0}}};
  EXPECT_EQ(mask->geometry().affine, affine);
  EXPECT_TRUE(fs::exists(project / "out/dicom-seg/scan.dcm"));
  for (const char* dots : {"in/scan/.", "in/scan/sub/.."}) {  // as "." and ".." are
    fs::create_directories(project / "in/scan/sub");
    ASSERT_EQ(infer(project, {dots}, "dots", {"--dicom-series"}).exit_code, 0) << dots;
    EXPECT_TRUE(fs::remove(project / "dots/scan.nii.gz")) << dots;
    fs::remove_all(project / "dots");
  }
  test::expect_usage_error(infer(project, {"in/scan/1.dcm"}, "one", {"--dicom-series"}),
                           "leaf_infer", {"1.dcm' is a DICOM file; with --dicom-series give its"});
  const auto records = test::audit_records(project, "out");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["slices"], 3);
  EXPECT_FALSE(tells_the_patient(read_file(project / "out/audit.jsonl") + outcome.err));
  const auto again =
      infer(project, {"in"}, "out", {"--dicom-series", "--dicom-seg", "--skip-existing"});
  EXPECT_NE(again.err.find("0 images segmented, 1 skipped"), std::string::npos) << again.err;
  write_file(project / "in/scan/1.dcm",
             read_file(project / "in/scan/1.dcm") + std::string(2, '\0'));
  const auto changed =
      infer(project, {"in"}, "out", {"--dicom-series", "--dicom-seg", "--skip-existing"});
  EXPECT_NE(changed.err.find("1 of an image that has changed"), std::string::npos) << changed.err;
}

TEST(InferDicom, SegmentationsAreOfDicomFilesAtTheirSize) {
  const TinyProject project;
  project.with_model();
  const auto png = infer(project, {"data/images/0001.png"}, "out", {"--dicom-seg"});
  EXPECT_EQ(png.exit_code, 0);  // the mask is none the worse
  EXPECT_NE(png.err.find("no DICOM segmentation is written of it"), std::string::npos) << png.err;
  EXPECT_TRUE(fs::exists(project / "out/0001.png"));
  const auto again =
      infer(project, {"data/images/0001.png"}, "out", {"--dicom-seg", "--skip-existing"});
  EXPECT_NE(again.err.find("1 skipped"), std::string::npos) << again.err;
  test::expect_usage_error(
      infer(project, {"data/images"}, "x", {"--dicom-seg", "--output-size", "model"}), "leaf_infer",
      {"--dicom-seg", "--output-size model"});
}

}  // namespace leaf
