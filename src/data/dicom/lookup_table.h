#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dicom_file.h"

namespace leaf::data::dicom {

/// A table that stored values are looked up in.
struct LookupTable {
  std::int64_t first = 0;  ///< the value that the first entry is for; those below have it, too
  std::int64_t bits = 16;  ///< of an entry
  std::vector<std::uint16_t> entries;

  std::uint16_t at(std::int64_t value) const;
  /// The value of a white entry.
  double white() const { return static_cast<double>((1 << bits) - 1); }
};

/// Nothing where the item has no descriptor; throws DataError for a table that does not fit its
/// descriptor. `is_signed`: whether the values that are looked up are.
std::optional<LookupTable> find_table(DcmItem& item, const DcmTagKey& descriptor,
                                      const DcmTagKey& data, bool is_signed);

}  // namespace leaf::data::dicom
