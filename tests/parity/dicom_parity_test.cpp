#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "data/dicom/dicom_file.h"
#include "data/dicom/segmentation.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"

// Files of tests/parity/make_dicom_fixtures.py, and what pydicom sees in them.
namespace leaf::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

double largest_difference(const at::Tensor& got, const std::vector<double>& wanted) {
  return (got.to(at::kDouble).flatten() - at::tensor(wanted, at::kDouble))
      .abs()
      .max()
      .item<double>();
}

/// What differs from the expected picture; "" when nothing does.
std::string difference(const fs::path& file, const Json& row) {
  const Picture picture = read_picture(file);
  const auto samples = row["samples"].get<std::vector<double>>();
  const double tolerance = row["tolerance"].get<double>() + 1e-3;
  const bool colours = row.value("colours", false);
  const at::Tensor got = colours ? read_image(file).rgb : picture.samples;
  if (got.numel() != static_cast<std::int64_t>(samples.size())) {
    return str("it has ", got.numel(), " samples, not ", samples.size());
  }
  if (const double error = largest_difference(got, samples);
      error > tolerance + (colours ? 1 : 0)) {
    return str("samples differ by up to ", error);
  }
  if (picture.pages != row["pages"].get<std::int64_t>()) {
    return str("it has ", picture.pages, " frames");
  }
  if (row.contains("shown")) {
    const double error = largest_difference(read_image(file).rgb.select(2, 0),
                                            row["shown"].get<std::vector<double>>());
    return error > tolerance + 1 ? str("levels differ by up to ", error) : "";
  }
  return "";
}

struct Verdict {
  bool fine = false;
  std::string text;
};

Verdict check(const fs::path& file, const Json& row) {
  try {
    read_picture(file);
    const std::string problem = row.contains("refused")  ? "it was read"
                                : row.contains("unsure") ? ""
                                                         : difference(file, row);
    return {problem.empty(), problem.empty() ? "right" : problem};
  } catch (const DataError& error) {
    const std::string text = error.what();
    const bool named = text.find(row.value("refused", "")) != std::string::npos &&
                       text.find(file.filename().string()) != std::string::npos &&
                       text.find('\n') == std::string::npos;
    const bool expected = row.contains("refused") || row.contains("unsure");
    return {named && expected, "refused: " + text.substr(text.find("': ") + 3)};
  }
}

/// Reads every file that expected.json lists; -> how many are as expected.
int check_folder(const fs::path& folder, bool print) {
  int fine = 0;
  for (const Json& row : Json::parse(read_file(folder / "expected.json"))) {
    const std::string name = row["file"];
    const Verdict verdict = check(folder / name, row);
    EXPECT_TRUE(verdict.fine) << name << ": " << verdict.text;
    fine += verdict.fine ? 1 : 0;
    if (print) {
      std::cout << name << "  " << verdict.text << '\n';
    }
  }
  return fine;
}

/// Labels 0 to 2, different in every frame: uint8 [frames,height,width].
at::Tensor some_labels(std::int64_t frames, std::int64_t height, std::int64_t width) {
  const at::Tensor f = at::arange(frames).view({-1, 1, 1});
  const at::Tensor y = at::arange(height).view({1, -1, 1});
  return (at::arange(width) + 2 * y + 3 * f).remainder(3).to(at::kByte);
}

/// A frame for each of all files, and their height and width.
struct SegmentationSources {
  std::vector<DicomFrame> frames;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

SegmentationSources sources_of(const fs::path& entry) {
  SegmentationSources sources;
  for (const fs::path& path :
       fs::is_directory(entry) ? list_folder(entry) : std::vector<fs::path>{entry}) {
    dicom::DicomFile file(read_file(path), std::numeric_limits<std::int64_t>::max());
    sources.height = dicom::whole_number(file.data_set(), DCM_Rows).value();
    sources.width = dicom::whole_number(file.data_set(), DCM_Columns).value();
    const auto frames = dicom::whole_number(file.data_set(), DCM_NumberOfFrames).value_or(1);
    for (std::int64_t frame = 0; frame < frames; ++frame) {
      sources.frames.push_back({.file = path, .frame = frame});
    }
  }
  return sources;
}

}  // namespace

TEST(DicomFixtures, TheSmallSet) {
  EXPECT_GE(check_folder(fs::path(LEAF_FIXTURES) / "dicom", false), 25);
}

TEST(DicomFixtures, EveryFileOfTheFolder) {
  const char* folder = std::getenv("LEAF_PARITY_DICOM");
  if (folder == nullptr) {
    GTEST_SKIP() << "LEAF_PARITY_DICOM is not set (scripts/parity.sh --dicom makes the files)";
  }
  EXPECT_GE(check_folder(folder, true), 100);
}

/// For check_dicom_seg.py: segmentations of the files in LEAF_DICOM_SEG/sources, each folder in it
/// a series, in LEAF_DICOM_SEG/segmentations.
TEST(DicomFixtures, SegmentationsForOtherReaders) {
  const char* base = std::getenv("LEAF_DICOM_SEG");
  if (base == nullptr) {
    GTEST_SKIP() << "LEAF_DICOM_SEG is not set (scripts/parity.sh --dicom makes the files)";
  }
  const MaskClasses classes{.list = {{"background", {0}}, {"liver", {1}}, {"tumour", {2}}}};
  for (const fs::path& entry : list_folder(fs::path(base) / "sources")) {
    const SegmentationSources sources = sources_of(entry);
    const at::Tensor labels = some_labels(static_cast<std::int64_t>(sources.frames.size()),
                                          sources.height, sources.width);
    dicom::write_segmentation(fs::path(base) / "segmentations" / (entry.stem().string() + ".dcm"),
                              sources.frames, labels, classes);
  }
}

}  // namespace leaf::data
