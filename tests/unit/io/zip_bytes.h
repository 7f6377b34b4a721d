#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leaf::test {

/// A record of a zip archive, with what its table of contents says about it.
struct ZipRecord {
  std::string name;
  std::string data;
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::uint64_t size_off_by = 0;    ///< added to the size that the table gives
  std::uint64_t header_off_by = 0;  ///< added to the position that it gives
};

template <typename Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

/// The entry of the table of contents, with all numbers in the 64-bit form.
inline std::string zip_entry(const ZipRecord& record, std::uint64_t header) {
  const std::uint64_t size = record.data.size() + record.size_off_by;
  const auto name_length = static_cast<std::uint16_t>(record.name.size());
  return "PK\1\2" + std::string(4, '\0') + bytes_of(record.flags) + bytes_of(record.method) +
         std::string(8, '\0') + std::string(8, '\xff') + bytes_of(name_length) +
         bytes_of(std::uint16_t{28}) + std::string(10, '\0') + std::string(4, '\xff') +
         record.name + bytes_of(std::uint16_t{1}) + bytes_of(std::uint16_t{24}) + bytes_of(size) +
         bytes_of(size) + bytes_of(header + record.header_off_by);
}

/// A zip archive without padding. `extra_entries` are claimed but not there.
inline std::string zip_bytes(const std::vector<ZipRecord>& records,
                             std::uint64_t extra_entries = 0) {
  std::string archive;
  std::string table;
  for (const ZipRecord& record : records) {
    table += zip_entry(record, archive.size());
    archive += std::string("PK\3\4") + std::string(22, '\0') +
               bytes_of(static_cast<std::uint16_t>(record.name.size())) + std::string(2, '\0') +
               record.name + record.data;
  }
  const std::uint64_t begin = archive.size();
  const std::uint64_t end64 = begin + table.size();
  const std::uint64_t count = records.size() + extra_entries;
  return archive + table + "PK\6\6" + std::string(28, '\0') + bytes_of(count) +
         bytes_of(std::uint64_t{table.size()}) + bytes_of(begin) + "PK\6\7" + std::string(4, '\0') +
         bytes_of(end64) + std::string(4, '\0') + "PK\5\6" + std::string(4, '\0') +
         std::string(12, '\xff') + std::string(2, '\0');
}

}  // namespace leaf::test
