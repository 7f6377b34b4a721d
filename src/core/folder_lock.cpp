#include "core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw FileError(str("cannot open folder '", folder.string(), "': ", std::strerror(errno)));
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    return;
  }
  if (errno == EWOULDBLOCK) {
    close(descriptor_);
    throw FileError(str("another program is writing into '", folder.string(),
                        "'; wait for its end, or choose another folder"));
  }
  log::warn(str("'", folder.string(), "' cannot be locked (", std::strerror(errno),
                "); see to it that no other program trains into it"));
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace leaf
