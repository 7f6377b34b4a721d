#include "lookup_table.h"

#include <algorithm>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {

std::uint16_t LookupTable::at(std::int64_t value) const {
  const auto last = static_cast<std::int64_t>(entries.size()) - 1;
  return entries[static_cast<std::size_t>(std::clamp<std::int64_t>(value - first, 0, last))];
}

std::optional<LookupTable> find_table(DcmItem& item, const DcmTagKey& descriptor,
                                      const DcmTagKey& data, bool is_signed) {
  const std::optional<std::int64_t> stated = whole_number(item, descriptor, 0);
  if (!stated) {
    return std::nullopt;
  }
  constexpr std::int64_t kRange = 65536;
  const std::int64_t count = *stated > 0 ? *stated : *stated + kRange;  // 0 means 65536
  if (count < 1 || count > kRange) {
    refuse_damaged(str("a lookup table states ", *stated, " entries"));
  }
  LookupTable table;
  table.first = whole_number(item, descriptor, 1).value_or(0);
  if (is_signed && table.first >= kRange / 2) {
    table.first -= kRange;  // written as unsigned
  }
  table.bits = whole_number(item, descriptor, 2).value_or(16);
  const Uint16* words = nullptr;
  unsigned long size = 0;
  item.findAndGetUint16Array(data, words, &size);
  const auto wanted = static_cast<unsigned long>(count);
  const bool two_a_word = table.bits == 8 && size < wanted;
  if (table.bits < 1 || table.bits > 16 || words == nullptr ||
      size < (two_a_word ? (wanted + 1) / 2 : wanted)) {
    refuse_damaged(
        str("a lookup table of ", count, " entries of ", table.bits, " bits has ", size, " words"));
  }
  const auto mask = static_cast<std::uint16_t>((1 << table.bits) - 1);
  for (unsigned long i = 0; i < wanted; ++i) {
    const int word = two_a_word ? words[i / 2] >> (i % 2 * 8) : words[i];
    table.entries.push_back(static_cast<std::uint16_t>(word & mask));
  }
  return table;
}

}  // namespace leaf::data::dicom
