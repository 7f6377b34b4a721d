#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "weight_file.h"

namespace leaf::io {

/// The zip archive of a PyTorch checkpoint, mapped: its records are stored as they are, never
/// compressed, and all lie in one folder of the archive.
class ZipArchive {
 public:
  /// Reads the table of contents. Throws WeightsError when it is not one, names something twice or
  /// claims more bytes than the file has.
  explicit ZipArchive(const std::filesystem::path& path);

  /// The bytes of the record FOLDER/`name`, nothing when there is none. Throws WeightsError when it
  /// is compressed or encrypted, or does not lie inside the file.
  std::optional<std::span<char>> find(const std::string& name) const;

  const std::shared_ptr<MappedFile>& file() const { return file_; }

 private:
  struct Record {
    std::uint64_t header;  ///< where its local header begins
    std::uint64_t size;
    bool is_plain;  ///< neither compressed nor encrypted
  };
  struct Contents {
    std::uint64_t count;
    std::uint64_t begin;
    std::uint64_t end;
  };

  [[noreturn]] void damaged(std::string_view reason) const;
  template <typename Number>
  std::uint64_t number(std::uint64_t position) const;
  void expect_signature(std::uint64_t position, std::uint32_t signature) const;
  std::uint64_t find_end() const;
  Contents find_contents() const;
  Record read_record(std::uint64_t entry, std::uint64_t extra, std::uint64_t extra_end) const;
  void add(std::string_view name, const Record& record);

  std::filesystem::path path_;
  std::shared_ptr<MappedFile> file_;
  std::string folder_;  ///< "archive/"
  std::unordered_map<std::string, Record> records_;
  std::uint64_t claimed_bytes_ = 0;
};

}  // namespace leaf::io
