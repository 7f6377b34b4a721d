#include "weight_file.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/descriptor.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::io {
namespace {

/// Hands the pages inside [first, first + bytes) back: nobody reads them any more.
void release_pages(char* first, std::uint64_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(first);
  const auto begin = (address + page - 1) / page * page;
  const auto end = (address + bytes) / page * page;
  if (begin < end) {  // pages that neighbours share stay
    ::madvise(first + (begin - address), end - begin, MADV_DONTNEED);
  }
}

/// The size of a regular file; throws WeightsError for anything else.
std::uint64_t regular_size(const struct stat& status, const std::filesystem::path& path) {
  if (S_ISDIR(status.st_mode)) {
    bad_weights(path, "it is a folder");
  }
  if (!S_ISREG(status.st_mode)) {
    bad_weights(path, "it is not a regular file");
  }
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

void bad_weights(const std::filesystem::path& path, std::string_view reason) {
  throw WeightsError(str("cannot read weights from '", path.string(), "': ", reason));
}

std::uint64_t weight_file_size(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    bad_weights(path, errno == ENOENT ? "no such file" : std::strerror(errno));
  }
  return regular_size(status, path);
}

std::optional<std::int64_t> element_count(c10::IntArrayRef shape) {
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    empty = empty || size == 0;
    if (size < 0 || __builtin_mul_overflow(product, std::max<std::int64_t>(size, 1), &product)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : product;
}

std::string shape_text(c10::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) {
    sizes.push_back(std::to_string(size));
  }
  return str("[", join(sizes, ", "), "]");
}

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  weight_file_size(path);  // opening a pipe would wait for its other end
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file.is_open() || ::fstat(file.number(), &status) != 0) {
    bad_weights(path, std::strerror(errno));
  }
  const std::uint64_t size = regular_size(status, path);
  if (size == 0) {
    bad_weights(path, "the file is empty");
  }
  void* const data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (data == MAP_FAILED) {
    bad_weights(path, std::strerror(errno));
  }
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<char*>(data), size, path));
}

MappedFile::MappedFile(char* data, std::uint64_t size, const std::filesystem::path& path)
    : data_(data), size_(size), watch_(data, size, path) {}

MappedFile::~MappedFile() { ::munmap(data_, size_); }

at::Tensor file_tensor(const std::shared_ptr<MappedFile>& file, char* first, c10::IntArrayRef shape,
                       c10::ScalarType dtype, std::size_t alignment) {
  const std::uint64_t bytes = c10::multiply_integers(shape) * c10::elementSize(dtype);
  if (bytes == 0) {
    return at::empty(shape, dtype);
  }
  if (dtype == at::kBool) {
    // Bytes other than 0 and 1 would be undefined behaviour in a bool tensor.
    return at::from_blob(first, shape, at::kByte).ne(0);
  }
  if (reinterpret_cast<std::uintptr_t>(first) % alignment != 0) {
    at::Tensor copy = at::empty(shape, dtype);
    std::memcpy(copy.mutable_data_ptr(), first, bytes);
    return copy;
  }
  const auto release = [file, first, bytes](void*) { release_pages(first, bytes); };
  return at::from_blob(first, shape, release, dtype);
}

}  // namespace leaf::io
