#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

namespace leaf::data::dicom {

/// True for the transfer syntaxes of JPEG 2000's first part, which OpenJPEG decodes.
bool is_jpeg2000(const DcmXfer& syntax);

/// Puts the decoded pixels of all frames, or of the first alone, into the place of the compressed
/// ones, as DCMTK's decoders do: pixel by pixel, colours as RGB, and the attributes say so. Does
/// nothing for pixels that are decoded already. Throws DataError for damaged code streams and for
/// those that do not hold what the data set states.
void decode_jpeg2000(DcmPixelData& pixels, const DcmXfer& syntax, DcmDataset& data_set,
                     bool first_frame_only);

}  // namespace leaf::data::dicom
