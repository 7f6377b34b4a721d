#include "leaf/core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>

#include "core/descriptor.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "temporary.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// Forces a file's or folder's content to the disk, so that a rename never overtakes its data. A
/// disk may say only now that it is full or broken; some file systems cannot flush at all.
void flush_to_disk(const fs::path& path, const fs::path& target) {
  const Descriptor written(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const bool failed = written.is_open() && ::fsync(written.number()) != 0;
  if (failed && (errno == EIO || errno == ENOSPC || errno == EDQUOT)) {
    throw_cannot_write(target, errno);
  }
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) {
    throw_cannot_write(to, failure.value());
  }
}

/// Moves the folder `path` into a temporary, puts `complete` in its place and removes the old one.
void replace_in_two_steps(const fs::path& complete, const fs::path& path) {
  Temporary aside(path, TemporaryKind::kFolder, kMovedAsideMark);
  const fs::path old = aside.path() / path.filename();
  rename_or_throw(path, old);
  try {
    rename_or_throw(complete, path);
  } catch (...) {
    std::error_code failure;
    fs::rename(old, path, failure);
    if (failure) {
      aside.keep();  // remove_leftovers() brings it back
    }
    throw;
  }
}

/// Makes the complete folder `temporary` to `path` and removes the one that was there. Not every
/// file system can swap two folders in one step.
void put_in_place(const fs::path& temporary, const fs::path& path) {
  if (!fs::exists(path)) {
    rename_or_throw(temporary, path);
  } else if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) !=
             0) {
    replace_in_two_steps(temporary, path);
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Runs `fill(temporary)`; what goes wrong there is said of `path`.
void fill_for(const fs::path& path, const fs::path& temporary,
              const std::function<void(const fs::path&)>& fill) {
  const auto message = [&](const FileError& failure) {
    return replaced(failure.what(), temporary.string(), path.string());
  };
  try {
    fill(temporary);
  } catch (const DiskFullError& failure) {
    throw DiskFullError(message(failure));
  } catch (const FileError& failure) {
    throw FileError(message(failure));
  }
}

[[noreturn]] void throw_errno() { throw std::system_error(errno, std::generic_category()); }

/// The size of a regular file.
std::size_t regular_size(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) {
    throw_errno();
  }
  if (!S_ISREG(status.st_mode)) {
    throw FileError(str("cannot read '", path.string(), "': it is ",
                        S_ISDIR(status.st_mode) ? "a folder" : "not a regular file"));
  }
  return static_cast<std::size_t>(status.st_size);
}

/// The next bytes of a file, at most as many as `piece` has; 0 at its end.
template <std::size_t N>
std::size_t read_some(const Descriptor& file, std::array<char, N>& piece, std::size_t most) {
  ssize_t count = 0;
  do {
    count = ::read(file.number(), piece.data(), std::min(most, N));
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    throw_errno();
  }
  return static_cast<std::size_t>(count);
}

void read_regular(const fs::path& path, const std::function<void(std::string_view)>& take) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) {
    throw_errno();
  }
  std::array<char, 1U << 16U> piece;
  const std::size_t size = regular_size(file, path);
  if (size == 0) {  // as special files state: a read shows their errors
    read_some(file, piece, 1);
  }
  for (std::size_t left = size; left > 0;) {
    const std::size_t count = read_some(file, piece, left);
    if (count == 0) {
      throw FileError(str("cannot read '", path.string(), "': it was cut short meanwhile"));
    }
    take({piece.data(), count});
    left -= count;
  }
}

/// Gives what a killed program had moved aside its name back, unless that has been taken.
void restore_moved_aside(const fs::path& leftover) {
  for (const fs::path& old : list_folder(leftover)) {
    const fs::path target = leftover.parent_path() / old.filename();
    if (!fs::exists(target)) {
      rename_or_throw(old, target);
    }
  }
}

/// Whether an errno is that of a disk, or of the share of it that one may use, without room.
bool is_full(int error) { return error == ENOSPC || error == EDQUOT; }

}  // namespace

std::string read_file(const fs::path& path) {
  std::string content;
  read_pieces(path, [&](std::string_view piece) { content += piece; });
  return content;
}

std::string read_small_file(const fs::path& path) {
  constexpr std::size_t kLargest = std::size_t{64} << 20U;
  std::string content;
  read_pieces(path, [&](std::string_view piece) {
    if (content.size() + piece.size() > kLargest) {
      throw FileError(str("cannot read '", path.string(), "': it is larger than 64 MiB"));
    }
    content += piece;
  });
  return content;
}

void read_pieces(const fs::path& path, const std::function<void(std::string_view)>& take) {
  try {
    read_regular(path, take);
  } catch (const std::system_error& failure) {
    throw FileError(str("cannot read '", path.string(), "': ", failure.code().message()));
  }
}

void throw_cannot_write(const fs::path& path, int error) {
  error = error == 0 ? EIO : error;  // streams and zlib do not always say
  const std::string message = str("cannot write '", path.string(), "': ", std::strerror(error));
  if (is_full(error)) {
    throw DiskFullError(message + "; free space");
  }
  throw FileError(message);
}

void write_file(const fs::path& path, std::string_view content) {
  replace_file(path, [&](const fs::path& temporary) {
    errno = 0;
    std::ofstream out(temporary, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) {
      throw_cannot_write(path, errno);
    }
  });
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  if (path.has_parent_path()) {
    make_folder(path.parent_path());
  }
  Temporary temporary(path, TemporaryKind::kFile);
  fill_for(path, temporary.path(), write);
  flush_to_disk(temporary.path(), path);
  rename_or_throw(temporary.path(), path);
  temporary.keep();
}

void replace_folder(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  const fs::path clean = path.has_filename() ? path : path.parent_path();
  if (clean.has_parent_path()) {
    make_folder(clean.parent_path());
  }
  const Temporary temporary(clean, TemporaryKind::kFolder);
  fill_for(clean, temporary.path(), fill);
  flush_to_disk(temporary.path(), clean);
  put_in_place(temporary.path(), clean);  // what is left under that name is the old folder
}

void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return;
  }
  for (const fs::path& entry : list_folder(folder)) {
    if (const Descriptor lock = lock_leftover(entry); lock.is_open()) {
      if (entry.filename().string().starts_with(kMovedAsideMark)) {
        restore_moved_aside(entry);
      }
      fs::remove_all(entry, ignored);
    }
  }
}

void make_folder(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (is_full(failure.value())) {
    throw_cannot_write(path, failure.value());
  }
  if (failure || !fs::is_directory(path)) {
    throw FileError(str("cannot make the folder '", path.string(),
                        "': ", failure ? failure.message() : "a file of that name exists"));
  }
}

std::vector<fs::path> missing_parents(const fs::path& path) {
  std::vector<fs::path> missing;
  for (fs::path parent = path.parent_path(); !parent.empty() && !fs::exists(parent);
       parent = parent.parent_path()) {
    missing.push_back(parent);
  }
  return missing;
}

void remove_folder(const fs::path& path, const std::vector<fs::path>& parents) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
  for (const fs::path& parent : parents) {
    fs::remove(parent, ignored);
  }
}

std::vector<fs::path> list_folder(const fs::path& folder) {
  std::error_code failure;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    entries.push_back(it->path());
  }
  if (failure) {
    throw FileError(str("cannot list '", folder.string(), "': ", failure.message()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace leaf
