#pragma once

#include <filesystem>
#include <memory>

namespace leaf {

/// Marks a folder as written to by this program, for others that ask by the same class. Ends with
/// the object or the program, however that ends, and leaves no file. Warns, and does nothing, where
/// the file system cannot lock a folder (NFS).
class FolderLock {
 public:
  /// Throws FileError when another program holds the folder, or it cannot be opened.
  explicit FolderLock(const std::filesystem::path& folder);
  /// The same, but null when another program holds the folder. Programs that this one starts hold
  /// it too, and longer where they live longer.
  static std::unique_ptr<FolderLock> unless_held(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace leaf
