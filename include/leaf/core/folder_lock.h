#pragma once

#include <filesystem>

namespace leaf {

/// Marks a folder as written to by this program, for others that ask by the same class. Ends with
/// the object or the program, however that ends, and leaves no file. Does nothing where the file
/// system has no locks.
class FolderLock {
 public:
  /// The folder must exist. FileError when another program holds it.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace leaf
