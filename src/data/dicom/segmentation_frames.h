#pragma once

#include <string>

#include "segmentation_source.h"

namespace leaf::data::dicom {

/// Throws Error unless DCMTK did what it was asked for.
void require(const OFCondition& condition);

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value);
void put_unless_empty(DcmItem& item, const DcmTagKey& tag, const std::string& value);

/// The item of a sequence with that index, made where it is not there.
DcmItem& item_of(DcmItem& item, const DcmTagKey& sequence, std::size_t index = 0);

/// A coded term, as the only item of a sequence.
struct Code {
  const char* value;
  const char* scheme;
  const char* meaning;
};
void put_code(DcmItem& item, const DcmTagKey& sequence, const Code& code);

/// Writes the module "multi-frame dimension" and the functional groups: for each segment (from 1)
/// and each source frame a frame, in this order.
void put_frames(DcmDataset& data_set, const Sources& sources, std::size_t segments);

}  // namespace leaf::data::dicom
