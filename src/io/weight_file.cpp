#include "weight_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::io {

void bad_weights(const std::filesystem::path& path, std::string_view reason) {
  throw WeightsError(str("cannot read weights from '", path.string(), "': ", reason));
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 160;
  std::string shown(text.substr(0, kLongest));
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text.size() > kLongest ? shown + "..." : shown;
}

std::uint64_t weight_file_size(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    bad_weights(path, errno == ENOENT ? "no such file" : std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) {
    bad_weights(path, "it is a folder");
  }
  if (!S_ISREG(status.st_mode)) {
    bad_weights(path, "it is not a regular file");
  }
  return static_cast<std::uint64_t>(status.st_size);
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
  const std::uint64_t size = weight_file_size(path);
  if (size == 0) {
    bad_weights(path, "the file is empty");
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    bad_weights(path, std::strerror(errno));
  }
  void* const data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  const int failure = errno;
  ::close(descriptor);
  if (data == MAP_FAILED) {
    bad_weights(path, std::strerror(failure));
  }
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<char*>(data), size));
}

void MappedFile::release_pages(char* first, std::uint64_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(first) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(first) + bytes) / page * page;
  if (begin < end) {  // pages that neighbours share stay
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

MappedFile::~MappedFile() { ::munmap(data_, size_); }

}  // namespace leaf::io
