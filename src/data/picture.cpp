#include "leaf/data/picture.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <new>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "picture_bytes.h"
#include "readers/reader.h"

namespace leaf::data {
namespace fs = std::filesystem;

void fail_to_read(const std::string& name, std::string_view reason) {
  throw DataError(str("cannot read image '", name, "': ", reason));
}

std::string read_picture_bytes(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail_to_read(path.string(), "no such file");
  }
  if (fs::is_directory(path, ignored)) {
    fail_to_read(path.string(), "it is a folder");
  }
  try {
    return read_file(path);
  } catch (const FileError& error) {
    throw DataError(error.what());
  } catch (const std::bad_alloc&) {
    fail_to_read(path.string(), "the file is larger than the memory");
  }
}

double white_of(const Picture& picture) {
  switch (picture.samples.scalar_type()) {
    case at::kByte:
      return 255;
    case at::kInt:
      return static_cast<double>((std::uint64_t{1} << picture.bits) - 1);
    default:
      return 1;
  }
}

Picture decode_picture(std::string_view bytes, const std::string& name,
                       const PictureLimits& limits) {
  if (bytes.empty()) {
    fail_to_read(name, "the file is empty");
  }
  const std::vector<Reader>& readers = all_readers();
  const auto reader = std::find_if(readers.begin(), readers.end(),
                                   [&](const Reader& r) { return r.recognises(bytes); });
  if (reader == readers.end()) {
    fail_to_read(name, describe_foreign(bytes));
  }
  return name_memory_errors(name, [&] {
    try {
      return reader->decode(bytes, limits);
    } catch (const DataError& error) {
      fail_to_read(name, error.what());
    }
  });
}

Picture read_picture(const fs::path& path, const PictureLimits& limits) {
  return decode_picture(read_picture_bytes(path), path.string(), limits);
}

}  // namespace leaf::data
