#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leaf::data::dicom {

/// The bytes that a compressed data set with that many pixels may take: it holds them and little
/// more.
std::int64_t most_unpacked(std::int64_t pixels);

/// A DICOM file in memory, its structure checked before DCMTK reads it. For one thread at a time.
class DicomFile {
 public:
  /// Throws DataError for a damaged file, an unknown transfer syntax, and a compressed data set
  /// that unpacks to more than `most_bytes`.
  DicomFile(std::string_view bytes, std::int64_t most_bytes);

  DcmDataset& data_set() { return *data_set_; }
  const DcmXfer& transfer_syntax() const { return syntax_; }

  /// Throws DataError for a file without pixels.
  void require_pixels() { pixel_data(); }

  /// Of the compressed pixels, the table of offsets not counted: at least one for each frame.
  std::int64_t fragments();

  /// The pixels of all frames, or of the first alone, one behind the other; compressed ones are
  /// decoded once. Attributes that describe them may change with that. Throws DataError for a file
  /// without pixels, for what no codec decodes, and for damaged pixels.
  std::string_view pixels(bool first_frame_only);

 private:
  DcmPixelData& pixel_data();
  void decode(DcmPixelData& pixels, bool first_frame_only);

  std::unique_ptr<DcmDataset> data_set_;
  DcmXfer syntax_;
};

/// A value of an element; nothing where it is absent or no number.
std::optional<std::int64_t> whole_number(DcmItem& item, const DcmTagKey& tag,
                                         unsigned long position = 0);
std::optional<double> number(DcmItem& item, const DcmTagKey& tag, unsigned long position = 0);
/// As many numbers as asked for; nothing where one is missing.
std::optional<std::vector<double>> numbers(DcmItem& item, const DcmTagKey& tag,
                                           unsigned long count);

/// Empty where it is absent.
std::string text(DcmItem& item, const DcmTagKey& tag);

/// What holds the attributes of a functional group for a frame (from 0): the item of that frame, or
/// the one that all share; the data set itself where it has neither, as files of one frame.
DcmItem& group_of(DcmDataset& data_set, const DcmTagKey& group, std::int64_t frame);

/// Throws DataError unless DCMTK knows the standard's attributes, which writing needs.
void require_dictionary();

}  // namespace leaf::data::dicom
