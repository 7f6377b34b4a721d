#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dctk.h>

namespace leaf::data::dicom {

/// Nothing where there are none; the decoder says what is wrong.
DcmPixelSequence* compressed_pixels(DcmPixelData& pixels, const DcmXfer& syntax);

/// Throws DataError where a frame that is to be decoded has another size than the file's header
/// states (DCMTK puts it into the buffer as it comes) or no frame header, is progressive, or where
/// there are so many pieces or scans that decoding them would take hours.
void check_coded_sizes(DcmPixelData& pixels, const DcmXfer& syntax, DcmDataset& data_set,
                       bool first_frame_only);

/// Throws DataError for more bytes than DCMTK counts, which it does in 32 bits.
void check_decoded_size(DcmDataset& data_set);

}  // namespace leaf::data::dicom
