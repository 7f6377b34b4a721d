#include "folder_watch.h"

#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "audit_log.h"
#include "data/image_folder.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kNews = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF |
                                IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

[[noreturn]] void throw_cannot_watch(const fs::path& folder, int error) {
  const char* advice = error == ENOSPC || error == EMFILE
                           ? "; raise fs.inotify.max_user_watches and max_user_instances (sysctl)"
                           : "";
  throw FileError(str("cannot watch '", folder.string(), "': ", std::strerror(error), advice));
}

/// A link, which is complete when it is made; another new file will be closed.
bool is_link(const fs::path& file) {
  std::error_code none;
  return fs::is_symlink(fs::symlink_status(file, none)) || fs::hard_link_count(file, none) > 1;
}

}  // namespace

FolderWatch::FolderWatch(const WatchOptions& options, const fs::path& left_out, IsDone is_done)
    : options_(options),
      left_out_(left_out),
      is_done_(std::move(is_done)),
      events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!events_.is_open()) {
    throw_cannot_watch(options.folder, errno);
  }
  enter(options.folder, /*only_undone=*/false);
}

std::vector<fs::path> FolderWatch::settled(std::chrono::milliseconds wait) {
  pollfd readable{.fd = events_.number(), .events = POLLIN, .revents = 0};
  if (::poll(&readable, 1, static_cast<int>(wait.count())) > 0) {  // a signal ends the wait, too
    read_events();
  }
  std::vector<fs::path> files;
  for (auto entry = arrivals_.begin(); entry != arrivals_.end();) {
    auto& [file, arrival] = *entry;
    std::error_code none;
    const bool gone = !fs::exists(file, none) && !fs::is_symlink(file, none);
    if (!gone && !has_settled(file, arrival)) {
      ++entry;
      continue;
    }
    if (!gone) {
      files.push_back(file);
    }
    entry = arrivals_.erase(entry);
  }
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return data::natural_less(a.string(), b.string());
  });
  return files;
}

bool FolderWatch::has_settled(const fs::path& file, Arrival& arrival) const {
  const FileFacts facts = stat_of(file);
  const Clock::time_point now = Clock::now();
  if (facts.bytes != arrival.bytes || facts.modified_ns != arrival.modified_ns) {
    arrival = {facts.bytes, facts.modified_ns, now};
  }
  return std::chrono::duration<double>(now - arrival.since).count() >= options_.settle_seconds;
}

void FolderWatch::read_events() {
  alignas(inotify_event) std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::read(events_.number(), buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + got;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof(event));
      handle(event.mask, event.wd, event.len > 0 ? at + sizeof(event) : "");
      at += sizeof(event) + event.len;
    }
  }
}

void FolderWatch::handle(std::uint32_t kind, int number, const std::string& name) {
  if ((kind & IN_Q_OVERFLOW) != 0) {
    enter(options_.folder, /*only_undone=*/true);
    return;
  }
  const auto known = folders_.find(number);
  if (known == folders_.end()) {
    return;
  }
  const fs::path folder = known->second;
  std::error_code none;
  const bool is_root = folder == options_.folder;
  if (!is_root && (kind & IN_MOVE_SELF) != 0 && fs::is_directory(folder, none)) {
    return;  // it was renamed and is known by its new name already
  }
  if ((kind & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
    if (is_root) {
      throw FileError(str("the watched folder '", folder.string(), "' is gone"));
    }
    folders_.erase(known);
  } else if ((kind & IN_ISDIR) != 0) {
    if (options_.recursive && (kind & (IN_CREATE | IN_MOVED_TO)) != 0) {
      enter(folder / name, /*only_undone=*/false);
    }
  } else if ((kind & IN_CREATE) == 0 || is_link(folder / name)) {
    note(folder / name);
  }
}

/// Watches a folder, then looks at what is in it: what comes in between is seen twice, never
/// missed.
void FolderWatch::enter(const fs::path& folder, bool only_undone) {
  std::error_code none;
  const bool is_root = folder == options_.folder;
  if (!is_root && (folder.filename().string().starts_with('.') ||
                   fs::equivalent(folder, left_out_, none) || data::is_results_folder(folder))) {
    return;
  }
  const int number = ::inotify_add_watch(events_.number(), folder.c_str(), kNews);
  if (number < 0) {
    const int error = errno;
    if (!is_root && (error == ENOENT || error == ENOTDIR)) {
      return;  // gone already
    }
    if (!is_root && error == EACCES) {
      log::warn(str("'", folder.string(), "' may not be read; it is not watched"));
      return;
    }
    throw_cannot_watch(folder, error);
  }
  folders_[number] = folder;
  if (!is_root && !fs::is_directory(folder, none)) {
    return;  // gone meanwhile
  }
  for (const fs::path& entry : list_folder(folder)) {
    if (fs::is_directory(fs::symlink_status(entry, none))) {
      if (options_.recursive) {
        enter(entry, only_undone);
      }
    } else if (!only_undone || !is_done_(entry)) {
      note(entry);
    }
  }
}

void FolderWatch::note(const fs::path& file) {
  std::error_code none;
  if ((data::is_image_file(file) || data::is_volume(file)) && !fs::is_directory(file, none)) {
    arrivals_[file];
  }
}

}  // namespace leaf
