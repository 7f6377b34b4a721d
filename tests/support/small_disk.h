#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace leaf::test {

/// A file system of a few bytes on a folder, where the user may mount one.
class SmallDisk {
 public:
  /// `size` as in "64k".
  SmallDisk(std::filesystem::path folder, const std::string& size)
      : folder_(std::move(folder)), mounted_(mount(size, 0)) {}
  ~SmallDisk() {
    if (mounted_) {
      ::umount2(folder_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  explicit operator bool() const { return mounted_; }
  void resize(const std::string& size) const { mount(size, MS_REMOUNT); }

 private:
  bool mount(const std::string& size, unsigned long flags) const {
    return ::mount("tmpfs", folder_.c_str(), "tmpfs", flags, ("size=" + size).c_str()) == 0;
  }

  std::filesystem::path folder_;
  bool mounted_;
};

}  // namespace leaf::test
