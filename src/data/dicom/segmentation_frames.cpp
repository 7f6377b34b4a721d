#include "segmentation_frames.h"

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "uid.h"

namespace leaf::data::dicom {
namespace {

void put_dimension(DcmItem& item, const std::string& organization, const DcmTagKey& attribute,
                   const DcmTagKey& group) {
  put(item, DCM_DimensionOrganizationUID, organization);
  require(item.putAndInsertTagKey(DCM_DimensionIndexPointer, attribute));
  require(item.putAndInsertTagKey(DCM_FunctionalGroupPointer, group));
}

/// Frames are ordered by their segment, then by position, or where there is none by number.
void put_dimensions(DcmDataset& data_set, bool with_geometry) {
  const std::string organization = new_uid();
  put(item_of(data_set, DCM_DimensionOrganizationSequence), DCM_DimensionOrganizationUID,
      organization);
  put_dimension(item_of(data_set, DCM_DimensionIndexSequence, 0), organization,
                DCM_ReferencedSegmentNumber, DCM_SegmentIdentificationSequence);
  put_dimension(item_of(data_set, DCM_DimensionIndexSequence, 1), organization,
                with_geometry ? DCM_ImagePositionPatient : DCM_InStackPositionNumber,
                with_geometry ? DCM_PlanePositionSequence : DCM_FrameContentSequence);
}

void put_shared_groups(DcmDataset& data_set, const FrameFacts& one) {
  DcmItem& shared = item_of(data_set, DCM_SharedFunctionalGroupsSequence);
  DcmItem& measures = item_of(shared, DCM_PixelMeasuresSequence);
  put(measures, DCM_PixelSpacing, one.spacing);
  put_unless_empty(measures, DCM_SliceThickness, one.thickness);
  put_unless_empty(measures, DCM_SpacingBetweenSlices, one.slice_spacing);
  put(item_of(shared, DCM_PlaneOrientationSequence), DCM_ImageOrientationPatient, one.orientation);
}

void put_derivation(DcmItem& groups, const FrameFacts& source) {
  DcmItem& derivation = item_of(groups, DCM_DerivationImageSequence);
  put_code(derivation, DCM_DerivationCodeSequence, {"113076", "DCM", "Segmentation"});
  DcmItem& image = item_of(derivation, DCM_SourceImageSequence);
  put(image, DCM_ReferencedSOPClassUID, source.class_uid);
  put(image, DCM_ReferencedSOPInstanceUID, source.instance_uid);
  if (source.multi_frame) {
    put(image, DCM_ReferencedFrameNumber, str(source.frame + 1));
  }
  put(image, DCM_SpatialLocationsPreserved, "YES");
  put_code(image, DCM_PurposeOfReferenceCodeSequence,
           {"121322", "DCM", "Source image for image processing operation"});
}

/// `position`: the source's place among all, from 1.
void put_frame(DcmItem& groups, const FrameFacts& source, std::size_t segment, std::size_t position,
               bool with_geometry) {
  DcmItem& content = item_of(groups, DCM_FrameContentSequence);
  const std::array<Uint32, 2> indices = {static_cast<Uint32>(segment),
                                         static_cast<Uint32>(position)};
  require(
      content.putAndInsertUint32Array(DCM_DimensionIndexValues, indices.data(), indices.size()));
  if (with_geometry) {
    put(item_of(groups, DCM_PlanePositionSequence), DCM_ImagePositionPatient, source.position);
  } else {
    put(content, DCM_StackID, "1");
    require(content.putAndInsertUint32(DCM_InStackPositionNumber, indices[1]));
  }
  put_derivation(groups, source);
  require(item_of(groups, DCM_SegmentIdentificationSequence)
              .putAndInsertUint16(DCM_ReferencedSegmentNumber, static_cast<Uint16>(segment)));
}

}  // namespace

void require(const OFCondition& condition) {
  if (condition.bad()) {
    throw Error(str("cannot make a DICOM segmentation (DCMTK: ", condition.text(), ")"));
  }
}

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  require(item.putAndInsertString(tag, value.c_str()));
}

void put_unless_empty(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  if (!value.empty()) {
    put(item, tag, value);
  }
}

DcmItem& item_of(DcmItem& item, const DcmTagKey& sequence, std::size_t index) {
  DcmItem* found = nullptr;
  require(item.findOrCreateSequenceItem(sequence, found, static_cast<long>(index)));
  return *found;
}

void put_code(DcmItem& item, const DcmTagKey& sequence, const Code& code) {
  DcmItem& coded = item_of(item, sequence);
  put(coded, DCM_CodeValue, code.value);
  put(coded, DCM_CodingSchemeDesignator, code.scheme);
  put(coded, DCM_CodeMeaning, code.meaning);
}

void put_frames(DcmDataset& data_set, const Sources& sources, std::size_t segments) {
  const bool with_geometry = sources.have_geometry();
  put_dimensions(data_set, with_geometry);
  if (with_geometry) {
    put_shared_groups(data_set, sources.frames.front());
  } else {
    item_of(data_set, DCM_SharedFunctionalGroupsSequence);
  }
  std::size_t index = 0;
  for (std::size_t segment = 1; segment <= segments; ++segment) {
    for (std::size_t i = 0; i < sources.frames.size(); ++i) {
      DcmItem& groups = item_of(data_set, DCM_PerFrameFunctionalGroupsSequence, index++);
      put_frame(groups, sources.frames[i], segment, i + 1, with_geometry);
    }
  }
}

}  // namespace leaf::data::dicom
