#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace leaf {

/// An open file, made where it is missing, and the mapping of its beginning; both end with the
/// object. Throws FileError for whatever fails.
class GrowingFile {
 public:
  explicit GrowingFile(const std::filesystem::path& path);
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  std::int64_t size() const;
  /// The bytes from `offset` on; the file must be that long.
  const char* at(std::int64_t offset, std::int64_t bytes);
  void write(std::int64_t offset, std::string_view bytes) const;

  /// Keeps other programs from writing while it lives; ends with the program at the latest.
  class Lock {
   public:
    explicit Lock(const GrowingFile& file);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int descriptor_;
  };

 private:
  void unmap();

  std::filesystem::path path_;
  int descriptor_;
  const char* base_ = nullptr;
  std::int64_t mapped_ = 0;
};

}  // namespace leaf
