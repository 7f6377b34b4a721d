#include "leaf/core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporaryMark = ".leaf-tmp-";
constexpr std::string_view kOldMark = "-old";

fs::path temporary_sibling(const fs::path& path) {
  fs::path clean = path;
  if (!clean.has_filename()) {
    clean = clean.parent_path();
  }
  return clean.parent_path() / str(".", clean.filename().string(), kTemporaryMark, ::getpid());
}

/// Forces a file's or folder's content to the disk, so that a rename never overtakes its data.
void flush_to_disk(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  ::fsync(descriptor);
  ::close(descriptor);
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) {
    throw FileError(str("cannot write '", to.string(), "': ", failure.message()));
  }
}

/// Makes the complete folder `temporary` to `path` and removes the one that was there. File systems
/// that cannot swap two folders in one step move the old one aside first.
void put_in_place(const fs::path& temporary, const fs::path& path) {
  if (!fs::exists(path)) {
    rename_or_throw(temporary, path);
    return;
  }
  fs::path old = temporary;
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) != 0) {
    old += kOldMark;
    rename_or_throw(path, old);
    rename_or_throw(temporary, path);
  }
  std::error_code ignored;
  fs::remove_all(old, ignored);
}

/// Runs `fill(temporary)`; removes the temporary when it throws.
template <typename Fill>
void fill_or_remove(const fs::path& temporary, const Fill& fill) {
  try {
    fill();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

[[noreturn]] void throw_errno() { throw std::system_error(errno, std::generic_category()); }

struct Descriptor {
  ~Descriptor() { ::close(number); }
  const int number;
};

/// The size of a regular file. A pipe would be waited for, and a device may never end.
std::size_t regular_size(int descriptor, const fs::path& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    throw_errno();
  }
  if (!S_ISREG(status.st_mode)) {
    throw FileError(str("cannot read '", path.string(), "': it is ",
                        S_ISDIR(status.st_mode) ? "a folder" : "not a regular file"));
  }
  return static_cast<std::size_t>(status.st_size);
}

/// What the file holds when it is opened, never more.
std::string read_regular(const fs::path& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) {
    throw_errno();
  }
  const Descriptor file{opened};
  const std::size_t size = regular_size(file.number, path);
  std::string content(std::max<std::size_t>(size, 1), '\0');  // one read shows errors of any file
  std::size_t filled = 0;
  ssize_t count = 1;
  while (count != 0 && filled < content.size()) {
    count = ::read(file.number, content.data() + filled, content.size() - filled);
    if (count < 0 && errno != EINTR) {
      throw_errno();
    }
    filled += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  if (filled < size) {
    throw FileError(str("cannot read '", path.string(), "': it was cut short meanwhile"));
  }
  content.resize(size);
  return content;
}

}  // namespace

std::string read_file(const fs::path& path) {
  try {
    return read_regular(path);
  } catch (const std::system_error& failure) {
    throw FileError(str("cannot read '", path.string(), "': ", failure.code().message()));
  }
}

void write_file(const fs::path& path, std::string_view content) {
  replace_file(path, [&](const fs::path& temporary) {
    std::ofstream out(temporary, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) {
      throw FileError(str("cannot write '", path.string(), "': ", std::strerror(errno)));
    }
  });
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  if (path.has_parent_path()) {
    make_folder(path.parent_path());
  }
  const fs::path temporary = temporary_sibling(path);
  fill_or_remove(temporary, [&] {
    write(temporary);
    flush_to_disk(temporary);
    rename_or_throw(temporary, path);
  });
}

void replace_folder(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  const fs::path temporary = temporary_sibling(path);
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  make_folder(temporary);
  fill_or_remove(temporary, [&] {
    fill(temporary);
    flush_to_disk(temporary);
    put_in_place(temporary, path);
  });
}

void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& entry : list_folder(folder)) {
    const std::string name = entry.filename().string();
    const auto mark = name.find(kTemporaryMark);
    if (mark == std::string::npos || mark == 0) {
      continue;
    }
    const fs::path target = folder / name.substr(1, mark - 1);
    if (name.ends_with(kOldMark) && !fs::exists(target)) {
      rename_or_throw(entry, target);
    } else {
      fs::remove_all(entry, ignored);
    }
  }
}

void make_folder(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
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
