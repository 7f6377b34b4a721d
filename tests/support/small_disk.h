#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace leaf::test {

/// A file system of its own, in memory, of a size that fills up; see is_there().
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, std::uintmax_t bytes) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    is_there_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, size(bytes).c_str()) == 0;
  }
  ~SmallDisk() {
    if (is_there_) {
      ::umount2(folder_.c_str(), MNT_DETACH);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// False where this process may not mount anything.
  bool is_there() const { return is_there_; }
  void grow(std::uintmax_t bytes) const {
    ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, size(bytes).c_str());
  }

 private:
  static std::string size(std::uintmax_t bytes) { return "size=" + std::to_string(bytes); }

  std::filesystem::path folder_;
  bool is_there_ = false;
};

}  // namespace leaf::test
