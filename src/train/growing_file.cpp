#include "growing_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw FileError(str("'", path.string(), "': ", std::strerror(errno)));
}

}  // namespace

GrowingFile::GrowingFile(const std::filesystem::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) {
    fail(path);
  }
}

GrowingFile::~GrowingFile() {
  unmap();
  ::close(descriptor_);
}

std::int64_t GrowingFile::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    fail(path_);
  }
  return status.st_size;
}

/// A mapping may be longer than its file: a growing one is mapped a few times, not for each record.
const char* GrowingFile::at(std::int64_t offset, std::int64_t bytes) {
  if (offset + bytes > mapped_) {
    unmap();
    const std::int64_t length = 2 * (offset + bytes);
    void* base =
        ::mmap(nullptr, static_cast<std::size_t>(length), PROT_READ, MAP_SHARED, descriptor_, 0);
    if (base == MAP_FAILED) {
      fail(path_);
    }
    base_ = static_cast<const char*>(base);
    mapped_ = length;
  }
  return base_ + offset;
}

void GrowingFile::write(std::int64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0) {
      fail(path_);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
}

GrowingFile::Lock::Lock(const GrowingFile& file) : descriptor_(file.descriptor_) {
  if (::flock(descriptor_, LOCK_EX) != 0) {
    fail(file.path_);
  }
}

GrowingFile::Lock::~Lock() { ::flock(descriptor_, LOCK_UN); }

void GrowingFile::unmap() {
  if (mapped_ > 0) {
    ::munmap(const_cast<char*>(base_), static_cast<std::size_t>(mapped_));
  }
  mapped_ = 0;
}

}  // namespace leaf
