#include "segmentation_source.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "data/picture_bytes.h"
#include "frame_picture.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "structure.h"

namespace leaf::data::dicom {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& reason) {
  throw DataError(str("no DICOM segmentation of '", file.string(), "': ", reason));
}

std::unique_ptr<DicomFile> open(const std::filesystem::path& file, std::int64_t most_bytes) {
  const std::string bytes = read_picture_bytes(file);
  if (!has_preamble(bytes)) {
    refuse(file, "it is no DICOM file");
  }
  try {
    return std::make_unique<DicomFile>(bytes, most_bytes);
  } catch (const DataError& error) {
    refuse(file, error.what());
  }
}

FrameFacts facts_of(DicomFile& file, std::int64_t frame) {
  DcmDataset& data_set = file.data_set();
  FrameFacts facts;
  facts.class_uid = text(data_set, DCM_SOPClassUID);
  facts.instance_uid = text(data_set, DCM_SOPInstanceUID);
  facts.series_uid = text(data_set, DCM_SeriesInstanceUID);
  facts.frame = frame;
  facts.multi_frame = whole_number(data_set, DCM_NumberOfFrames).value_or(1) > 1;
  facts.position =
      text(group_of(data_set, DCM_PlanePositionSequence, frame), DCM_ImagePositionPatient);
  facts.orientation =
      text(group_of(data_set, DCM_PlaneOrientationSequence, frame), DCM_ImageOrientationPatient);
  DcmItem& measures = group_of(data_set, DCM_PixelMeasuresSequence, frame);
  facts.spacing = text(measures, DCM_PixelSpacing);
  facts.thickness = text(measures, DCM_SliceThickness);
  facts.slice_spacing = text(measures, DCM_SpacingBetweenSlices);
  facts.lossy = is_lossy(file);
  facts.lossy_ratio = text(data_set, DCM_LossyImageCompressionRatio);
  facts.lossy_method = text(data_set, DCM_LossyImageCompressionMethod);
  return facts;
}

void check_size_of(DcmDataset& data_set, const std::filesystem::path& file, std::int64_t height,
                   std::int64_t width) {
  const std::int64_t rows = whole_number(data_set, DCM_Rows).value_or(0);
  const std::int64_t columns = whole_number(data_set, DCM_Columns).value_or(0);
  if (rows != height || columns != width) {
    refuse(file, str("it is ", columns, "x", rows, " and its mask is ", width, "x", height));
  }
}

/// Whether two lists of numbers are equal in all but their digits: "1\0\0" and "1.0\0.0\0.0". The
/// tolerance is that of put_in_order().
bool are_same_numbers(std::string_view a, std::string_view b) {
  constexpr double kTolerance = 1e-3;
  while (!a.empty() && !b.empty()) {
    const std::string_view one = a.substr(0, a.find('\\'));
    const std::string_view other = b.substr(0, b.find('\\'));
    if (!(std::abs(std::strtod(std::string(one).c_str(), nullptr) -
                   std::strtod(std::string(other).c_str(), nullptr)) < kTolerance)) {
      return false;
    }
    a.remove_prefix(std::min(a.size(), one.size() + 1));
    b.remove_prefix(std::min(b.size(), other.size() + 1));
  }
  return a.empty() && b.empty();
}

}  // namespace

bool Sources::have_geometry() const {
  const FrameFacts& one = frames.front();
  return std::all_of(frames.begin(), frames.end(), [&](const FrameFacts& facts) {
    return !facts.position.empty() && !facts.orientation.empty() && !facts.spacing.empty() &&
           are_same_numbers(facts.orientation, one.orientation) &&
           are_same_numbers(facts.spacing, one.spacing);
  });
}

Sources read_sources(const std::vector<DicomFrame>& sources, std::int64_t height,
                     std::int64_t width, const VolumeLimits& limits) {
  const std::int64_t most_bytes =
      most_unpacked(std::max(limits.max_voxels, limits.slice.max_pixels));
  Sources read;
  std::unique_ptr<DicomFile> other;
  DicomFile* file = nullptr;
  const std::filesystem::path* open_path = nullptr;
  for (const DicomFrame& source : sources) {
    if (open_path == nullptr || *open_path != source.file) {
      std::unique_ptr<DicomFile>& place = read.first == nullptr ? read.first : other;
      place = open(source.file, most_bytes);
      file = place.get();
      open_path = &source.file;
      check_size_of(file->data_set(), source.file, height, width);
    }
    FrameFacts facts = facts_of(*file, source.frame);
    if (facts.class_uid.empty() || facts.instance_uid.empty() || facts.series_uid.empty()) {
      refuse(source.file, "it has no SOP class, SOP instance or series UID to refer to");
    }
    read.frames.push_back(std::move(facts));
    const std::string study = text(file->data_set(), DCM_StudyInstanceUID);
    if (study != text(read.first->data_set(), DCM_StudyInstanceUID)) {
      refuse(source.file, "it belongs to another study than the files before it");
    }
  }
  return read;
}

}  // namespace leaf::data::dicom
