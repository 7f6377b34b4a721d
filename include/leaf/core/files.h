#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace leaf {

/// The whole file as bytes; FileError names the path and the reason. Only regular files are read:
/// a pipe would be waited for, and a device may never end.
std::string read_file(const std::filesystem::path& path);

/// The same of a file that people write by hand or programs in their place, such as a
/// configuration: throws FileError for one beyond 64 MiB.
std::string read_small_file(const std::filesystem::path& path);

/// Hands a file's bytes to `take`, in pieces: what the file holds when it is opened, never more.
/// The same errors.
void read_pieces(const std::filesystem::path& path,
                 const std::function<void(std::string_view piece)>& take);

/// Throws the FileError of a file that could not be written, a DiskFullError where `error` (an
/// errno) says so.
[[noreturn]] void throw_cannot_write(const std::filesystem::path& path, int error);

/// Writes `content` to a temporary sibling, flushes it to the disk and renames it to `path`, so
/// that `path` is always complete: either the old content or the new. Parent folders are made.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Replaces the file `path` by what `write` puts into the temporary path that it is given (an empty
/// file of a random name, made for it): written aside, flushed, renamed. On an exception the
/// temporary is removed and `path` stays as it was; messages name `path`.
void replace_file(const std::filesystem::path& path,
                  const std::function<void(const std::filesystem::path& temporary)>& write);

/// The same for a folder: `fill` gets an empty temporary folder that becomes `path` once complete;
/// a folder that was there before is swapped with it and removed last.
void replace_folder(const std::filesystem::path& path,
                    const std::function<void(const std::filesystem::path& temporary)>& fill);

/// Removes the temporaries that killed programs left in `folder`; what one had moved aside and not
/// replaced yet gets its name back. Those of programs that still run are locked, and stay; so does
/// everything where the file system has no locks. Does nothing where there is no such folder.
void remove_leftovers(const std::filesystem::path& folder);

/// Makes the folder (and its parents); throws FileError when that cannot be done.
void make_folder(const std::filesystem::path& path);

/// The folders above `path` that do not exist, the innermost first: those that make_folder(path)
/// would make.
std::vector<std::filesystem::path> missing_parents(const std::filesystem::path& path);

/// Undoes a make_folder(): removes `path` with all in it, and of `parents` those that are empty.
/// Errors are ignored.
void remove_folder(const std::filesystem::path& path,
                   const std::vector<std::filesystem::path>& parents);

/// The entries of a folder, sorted by name; throws FileError when it cannot be listed.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);

}  // namespace leaf
