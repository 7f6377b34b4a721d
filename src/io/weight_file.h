#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mapping_watch.h"

namespace leaf::io {

/// Throws the WeightsError of a weight file that cannot be used.
[[noreturn]] void bad_weights(const std::filesystem::path& path, std::string_view reason);

/// Size in bytes of the regular file `path`; throws WeightsError when it is missing or something
/// else.
std::uint64_t weight_file_size(const std::filesystem::path& path);

/// Bytes that the name of a tensor may have; no network's are nearly as long.
inline constexpr std::size_t kLongestName = 512;

/// Dimensions that a tensor may have: as many as LibTorch takes.
inline constexpr std::size_t kMostDimensions = 64;

/// Number of elements of a shape; nothing when a dimension is negative or the product, leaving out
/// zeros, is beyond 64 bits (strides are made of that product).
std::optional<std::int64_t> element_count(c10::IntArrayRef shape);

/// "[2, 3]"
std::string shape_text(c10::IntArrayRef shape);

/// A whole file mapped privately: reads come from the file, writes stay in this process.
class MappedFile {
 public:
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* data() const { return data_; }
  std::uint64_t size() const { return size_; }

 private:
  MappedFile(char* data, std::uint64_t size, const std::filesystem::path& path);

  char* data_;
  std::uint64_t size_;
  MappingWatch watch_;
};

/// The row-major tensor that begins at `first` in the file. It shares the mapping, and its pages
/// leave memory with it; what is not `alignment` bytes aligned, and booleans, are copied.
at::Tensor file_tensor(const std::shared_ptr<MappedFile>& file, char* first, c10::IntArrayRef shape,
                       c10::ScalarType dtype, std::size_t alignment);

}  // namespace leaf::io
