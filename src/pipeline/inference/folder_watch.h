#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "core/descriptor.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf {

/// Images that arrive in a folder, as the kernel tells (inotify). Hidden files and folders, other
/// files than images, and earlier results are passed over.
class FolderWatch {
 public:
  /// Whether an image needs no more work; asked only where the kernel has lost count of arrivals.
  using IsDone = std::function<bool(const std::filesystem::path& image)>;

  /// The images that are there count as arrivals. `left_out`: a folder that is not entered.
  /// FileError when the folder cannot be watched.
  FolderWatch(const WatchOptions& options, const std::filesystem::path& left_out, IsDone is_done);

  /// Waits for news, `wait` at most. -> the images that have settled since the last call, in
  /// natural order. FileError when the folder is gone.
  std::vector<std::filesystem::path> settled(std::chrono::milliseconds wait);

  /// True if images have arrived that have not settled yet.
  bool is_waiting() const { return !arrivals_.empty(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// A file as it was last seen, and since when it has been so.
  struct Arrival {
    std::int64_t bytes = -1;
    std::int64_t modified_ns = 0;
    Clock::time_point since;
  };

  void read_events();
  void handle(std::uint32_t kind, int number, const std::string& name);
  void enter(const std::filesystem::path& folder, bool only_undone);
  void note(const std::filesystem::path& file);
  bool has_settled(const std::filesystem::path& file, Arrival& arrival) const;

  WatchOptions options_;
  std::filesystem::path left_out_;
  IsDone is_done_;
  Descriptor events_;
  std::map<int, std::filesystem::path> folders_;  ///< by the number of their watch
  std::map<std::filesystem::path, Arrival> arrivals_;
};

}  // namespace leaf
