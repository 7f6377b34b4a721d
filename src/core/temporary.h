#pragma once

#include <filesystem>
#include <string_view>

#include "core/descriptor.h"

namespace leaf {

/// What the names of temporaries begin with: those that are filled, and those that hold what they
/// will replace.
inline constexpr std::string_view kTemporaryMark = ".leaf-tmp-";
inline constexpr std::string_view kMovedAsideMark = ".leaf-old-";

enum class TemporaryKind { kFile, kFolder };

/// An empty file or folder beside the one that it will replace. Its name is random and short, it is
/// made for the purpose (an existing file or link of that name is never opened), and it stays
/// locked as long as this program lives. Removed with the object.
class Temporary {
 public:
  /// Throws FileError, naming `target`, when it cannot be made.
  Temporary(const std::filesystem::path& target, TemporaryKind kind,
            std::string_view mark = kTemporaryMark);
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Leaves it where it is: it has got another name, or holds what must not be lost.
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
  bool kept_ = false;
};

/// Whether `path` is a temporary, of either mark, whose program lives no more. The lock that tells
/// is held by the result's descriptor, which is closed where it is not.
Descriptor lock_leftover(const std::filesystem::path& path);

}  // namespace leaf
