#include "temporary.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <random>
#include <sstream>
#include <string>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr int kSafely = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

std::string random_name(std::string_view mark) {
  std::random_device draw;
  std::ostringstream name;
  name << mark << std::hex << draw() << '-' << draw();
  return name.str();
}

fs::path folder_of(const fs::path& target) {
  return (target.has_filename() ? target : target.parent_path()).parent_path();
}

/// A new file or folder; -1, with errno, when it cannot be made.
Descriptor make(const fs::path& path, TemporaryKind kind) {
  if (kind == TemporaryKind::kFile) {
    return Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | kSafely, 0666));
  }
  return Descriptor(::mkdir(path.c_str(), 0777) == 0
                        ? ::open(path.c_str(), O_RDONLY | O_DIRECTORY | kSafely)
                        : -1);
}

/// False when remove_leftovers() of another program has been quicker, or has it already removed.
bool lock_new(const Descriptor& made) {
  const bool taken = ::flock(made.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  struct stat status {};
  return !taken && ::fstat(made.number(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

Temporary::Temporary(const fs::path& target, TemporaryKind kind, std::string_view mark)
    : descriptor_(-1) {
  do {
    path_ = folder_of(target) / random_name(mark);
    descriptor_ = make(path_, kind);
    if (!descriptor_.is_open() && errno != EEXIST) {
      throw_cannot_write(target, errno);
    }
  } while (!descriptor_.is_open() || !lock_new(descriptor_));
}

Temporary::~Temporary() {
  if (!kept_) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

Descriptor lock_leftover(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kTemporaryMark) && !name.starts_with(kMovedAsideMark)) {
    return Descriptor(-1);
  }
  Descriptor found(::open(path.c_str(), O_RDONLY | kSafely));
  const bool ours = found.is_open() && ::flock(found.number(), LOCK_EX | LOCK_NB) == 0;
  return ours ? std::move(found) : Descriptor(-1);
}

}  // namespace leaf
