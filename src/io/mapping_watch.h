#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace leaf::io {

/// While it lives, explain_lost_files() knows that these bytes are a mapping of `path`. Beyond a
/// few dozen mappings at a time, and for names of more than some hundred bytes, it does not.
class MappingWatch {
 public:
  MappingWatch(const char* begin, std::uint64_t size, const std::filesystem::path& path);
  ~MappingWatch();
  MappingWatch(const MappingWatch&) = delete;
  MappingWatch& operator=(const MappingWatch&) = delete;

 private:
  std::size_t place_;
};

}  // namespace leaf::io
