#include "segmentation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/label_maps.h"
#include "segmentation_frames.h"
#include "segmentation_source.h"
#include "uid.h"

namespace leaf::data::dicom {
namespace {

/// Names of classes are people's own: of what they are no more is known than this.
constexpr Code kTissue{"85756007", "SCT", "Tissue"};

/// Copies what a source says; an attribute that must be there is empty where the source lacks it.
void copy(DcmItem& from, DcmItem& to, const DcmTagKey& tag, bool must_be_there) {
  if (from.tagExists(tag)) {
    require(from.findAndInsertCopyOfElement(tag, &to));
  } else if (must_be_there) {
    require(to.insertEmptyElement(tag));
  }
}

void put_patient_and_study(DcmDataset& data_set, DcmDataset& source) {
  for (const DcmTagKey& tag :
       {DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate, DCM_PatientSex, DCM_StudyDate,
        DCM_StudyTime, DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber}) {
    copy(source, data_set, tag, true);
  }
  for (const DcmTagKey& tag : {DCM_SpecificCharacterSet, DCM_StudyDescription}) {
    copy(source, data_set, tag, false);
  }
  const std::string study = text(source, DCM_StudyInstanceUID);
  put(data_set, DCM_StudyInstanceUID, study.empty() ? new_uid() : study);
  if (source.tagExists(DCM_FrameOfReferenceUID)) {
    copy(source, data_set, DCM_FrameOfReferenceUID, true);
    copy(source, data_set, DCM_PositionReferenceIndicator, true);
  }
}

void put_series_and_equipment(DcmDataset& data_set) {
  put(data_set, DCM_Modality, "SEG");
  put(data_set, DCM_SeriesInstanceUID, new_uid());
  put(data_set, DCM_SeriesNumber, "1");
  put(data_set, DCM_SeriesDescription, "Segmentation by leaf");
  put(data_set, DCM_Manufacturer, "leaf");
  put(data_set, DCM_ManufacturerModelName, "leaf");
  put(data_set, DCM_DeviceSerialNumber, "0");
  put(data_set, DCM_SoftwareVersions, version());
}

void put_general(DcmDataset& data_set) {
  OFString date;
  OFString time;
  DcmDate::getCurrentDate(date);
  DcmTime::getCurrentTime(time);
  put(data_set, DCM_SOPClassUID, UID_SegmentationStorage);
  put(data_set, DCM_SOPInstanceUID, new_uid());
  put(data_set, DCM_ImageType, "DERIVED\\PRIMARY");
  put(data_set, DCM_InstanceNumber, "1");
  put(data_set, DCM_ContentDate, date.c_str());
  put(data_set, DCM_ContentTime, time.c_str());
  put(data_set, DCM_ContentLabel, "SEGMENTATION");
  require(data_set.insertEmptyElement(DCM_ContentDescription));
  require(data_set.insertEmptyElement(DCM_ContentCreatorName));
}

/// Fit for a label of 64 characters in whatever character set the source has.
std::string label_of(const std::string& name) {
  constexpr std::size_t kLongest = 64;
  std::string label = name.substr(0, kLongest);
  std::replace_if(
      label.begin(), label.end(), [](char c) { return c < ' ' || c > '~' || c == '\\'; }, '_');
  return label;
}

void put_segments(DcmDataset& data_set, const MaskClasses& classes) {
  put(data_set, DCM_SegmentationType, "BINARY");
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    DcmItem& segment = item_of(data_set, DCM_SegmentSequence, index - 1);
    require(segment.putAndInsertUint16(DCM_SegmentNumber, static_cast<Uint16>(index)));
    put(segment, DCM_SegmentLabel, label_of(classes.list[index].name));
    put_code(segment, DCM_SegmentedPropertyCategoryCodeSequence, kTissue);
    put_code(segment, DCM_SegmentedPropertyTypeCodeSequence, kTissue);
    put(segment, DCM_SegmentAlgorithmType, "AUTOMATIC");
    put(segment, DCM_SegmentAlgorithmName, str("leaf ", version()));
  }
}

/// The module "common instance reference": every file once.
void put_references(DcmDataset& data_set, const Sources& sources) {
  std::vector<std::string> series;
  std::set<std::string> seen;
  std::vector<std::size_t> counts;
  for (const FrameFacts& facts : sources.frames) {
    if (!seen.insert(facts.instance_uid).second) {
      continue;
    }
    const auto known = std::find(series.begin(), series.end(), facts.series_uid);
    const auto place = static_cast<std::size_t>(known - series.begin());
    if (known == series.end()) {
      series.push_back(facts.series_uid);
      counts.push_back(0);
    }
    DcmItem& referenced = item_of(data_set, DCM_ReferencedSeriesSequence, place);
    put(referenced, DCM_SeriesInstanceUID, facts.series_uid);
    DcmItem& instance = item_of(referenced, DCM_ReferencedInstanceSequence, counts[place]++);
    put(instance, DCM_ReferencedSOPClassUID, facts.class_uid);
    put(instance, DCM_ReferencedSOPInstanceUID, facts.instance_uid);
  }
}

/// One bit a pixel, frame after frame, the lowest bit first.
std::vector<Uint8> packed(const at::Tensor& labels, const MaskClasses& classes) {
  const auto pixels = static_cast<std::size_t>(labels.numel());
  const std::size_t segments = classes.list.size() - 1;
  std::vector<Uint8> bits((pixels * segments + 15) / 16 * 2);  // an even number of bytes
  for (std::size_t index = 1; index <= segments; ++index) {
    const at::Tensor region = class_region(labels, index, classes).contiguous();
    const bool* inside = region.const_data_ptr<bool>();
    const std::size_t first = (index - 1) * pixels;
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::size_t bit = first + i;
      bits[bit / 8] = static_cast<Uint8>(bits[bit / 8] | (inside[i] ? 1U << bit % 8 : 0U));
    }
  }
  return bits;
}

void put_pixels(DcmDataset& data_set, const at::Tensor& labels, const MaskClasses& classes) {
  const auto number = [&](const DcmTagKey& tag, std::int64_t value) {
    require(data_set.putAndInsertUint16(tag, static_cast<Uint16>(value)));
  };
  number(DCM_SamplesPerPixel, 1);
  put(data_set, DCM_PhotometricInterpretation, "MONOCHROME2");
  number(DCM_Rows, labels.size(1));
  number(DCM_Columns, labels.size(2));
  number(DCM_BitsAllocated, 1);
  number(DCM_BitsStored, 1);
  number(DCM_HighBit, 0);
  number(DCM_PixelRepresentation, 0);
  const auto segments = static_cast<std::int64_t>(classes.list.size()) - 1;
  put(data_set, DCM_NumberOfFrames, str(segments * labels.size(0)));
  const std::vector<Uint8> bits = packed(labels, classes);
  require(data_set.putAndInsertUint8Array(DcmTag(DCM_PixelData, EVR_OB), bits.data(),
                                          static_cast<unsigned long>(bits.size())));
}

/// A segmentation of a picture that lost something is one that did.
void put_losses(DcmDataset& data_set, const Sources& sources) {
  const auto lossy = std::find_if(sources.frames.begin(), sources.frames.end(),
                                  [](const FrameFacts& facts) { return facts.lossy; });
  if (lossy == sources.frames.end()) {
    put(data_set, DCM_LossyImageCompression, "00");
    return;
  }
  put(data_set, DCM_LossyImageCompression, "01");
  put_unless_empty(data_set, DCM_LossyImageCompressionRatio, lossy->lossy_ratio);
  put_unless_empty(data_set, DCM_LossyImageCompressionMethod, lossy->lossy_method);
}

}  // namespace

void write_segmentation(const std::filesystem::path& path, const std::vector<DicomFrame>& sources,
                        const at::Tensor& labels, const MaskClasses& classes,
                        const VolumeLimits& limits) {
  if (sources.empty()) {
    throw DataError("a DICOM segmentation is made of DICOM files alone");
  }
  const Sources read = read_sources(sources, labels.size(1), labels.size(2), limits);
  require_dictionary();
  DcmFileFormat file;
  DcmDataset& data_set = *file.getDataset();
  put_patient_and_study(data_set, read.first->data_set());
  put_series_and_equipment(data_set);
  put_general(data_set);
  if (!read.have_geometry()) {
    copy(read.first->data_set(), data_set, DCM_PatientOrientation, true);
  }
  put_segments(data_set, classes);
  put_references(data_set, read);
  put_frames(data_set, read, classes.list.size() - 1);
  put_pixels(data_set, labels, classes);
  put_losses(data_set, read);
  replace_file(path, [&](const std::filesystem::path& temporary) {
    errno = 0;
    if (file.saveFile(temporary.c_str(), EXS_LittleEndianExplicit).bad()) {
      throw_cannot_write(path, errno != 0 ? errno : EIO);
    }
  });
}

}  // namespace leaf::data::dicom
