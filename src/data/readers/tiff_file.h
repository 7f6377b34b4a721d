#pragma once

#include <tiffio.h>

#include <cstdarg>
#include <cstdint>
#include <string>
#include <string_view>

namespace leaf::data {

/// A TIFF in memory. What libtiff has to say stays here instead of on stderr.
class TiffFile {
 public:
  /// Throws DataError unless the first page's directory can be read. No single allocation of
  /// libtiff's is larger than `largest_block` bytes. `bytes` must outlive the file.
  TiffFile(std::string_view bytes, std::int64_t largest_block);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* handle() const { return handle_; }

  /// A tag's value, libtiff's default where the file states none, else T{}.
  template <typename T>
  T field(std::uint32_t tag) const {
    T value{};
    TIFFGetFieldDefaulted(handle_, tag, &value);
    return value;
  }

  /// DataError in libtiff's words when decoding failed, or went on without all of the data.
  void require(bool succeeded) const;

 private:
  static int on_error(TIFF* handle, void* self, const char* module, const char* format,
                      std::va_list arguments);
  static int on_warning(TIFF* handle, void* self, const char* module, const char* format,
                        std::va_list arguments);
  static tmsize_t read(thandle_t self, void* target, tmsize_t count);
  static tmsize_t write(thandle_t self, void* source, tmsize_t count);
  static toff_t seek(thandle_t self, toff_t offset, int origin);
  static int close(thandle_t self);
  static toff_t size(thandle_t self);
  static int map(thandle_t self, void** base, toff_t* bytes);
  static void unmap(thandle_t self, void* base, toff_t bytes);

  std::string_view bytes_;
  std::uint64_t position_ = 0;
  std::string error_;    ///< the last
  std::string missing_;  ///< the first warning that data are missing
  TIFF* handle_ = nullptr;
};

}  // namespace leaf::data
