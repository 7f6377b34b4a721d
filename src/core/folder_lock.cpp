#include "leaf/core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {

namespace {

/// The folder, open and locked; nothing when another program holds it.
std::optional<int> open_locked(const std::filesystem::path& folder, int more_flags) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | more_flags);
  if (descriptor < 0) {
    throw FileError(str("cannot open folder '", folder.string(), "': ", std::strerror(errno)));
  }
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    return descriptor;
  }
  if (errno == EWOULDBLOCK) {
    close(descriptor);
    return std::nullopt;
  }
  log::warn(str("'", folder.string(), "' cannot be locked (", std::strerror(errno),
                "); see to it that no other program writes into it"));
  return descriptor;
}

int open_locked_or_throw(const std::filesystem::path& folder) {
  const std::optional<int> descriptor = open_locked(folder, O_CLOEXEC);
  if (!descriptor) {
    throw FileError(str("another program is writing into '", folder.string(),
                        "'; wait for its end, or choose another folder"));
  }
  return *descriptor;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(open_locked_or_throw(folder)) {}

std::unique_ptr<FolderLock> FolderLock::unless_held(const std::filesystem::path& folder) {
  const std::optional<int> descriptor = open_locked(folder, 0);
  return descriptor ? std::unique_ptr<FolderLock>(new FolderLock(*descriptor)) : nullptr;
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace leaf
