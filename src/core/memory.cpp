#include "core/memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// The first number of a file; none where it says "max" or is not there.
std::optional<double> number_in(const fs::path& path) {
  double value = 0;
  std::ifstream file(path);
  return file >> value ? std::optional(value) : std::nullopt;
}

/// The number after `name` in a file of names and numbers.
std::optional<double> number_after(const std::string& name, const fs::path& path) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == name && file >> value) {
      return value;
    }
  }
  return std::nullopt;
}

double available_on_machine() {
  const auto kilobytes = number_after("MemAvailable:", "/proc/meminfo");
  return kilobytes ? *kilobytes * 1024 : kNoLimit;
}

/// Left of the limit of this process's control group (version 2) and of those around it.
double available_in_group() {
  const fs::path root = "/sys/fs/cgroup";
  std::string line;
  std::ifstream file("/proc/self/cgroup");
  double available = kNoLimit;
  while (std::getline(file, line)) {
    if (!line.starts_with("0::/")) {
      continue;
    }
    for (fs::path group = line.substr(4);; group = group.parent_path()) {
      const auto limit = number_in(root / group / "memory.max");
      const auto used = number_in(root / group / "memory.current");
      if (limit && used) {
        // Files that were read count as used, but give way.
        const double files =
            number_after("inactive_file", root / group / "memory.stat").value_or(0);
        available = std::min(available, std::max(0.0, *limit - *used + files));
      }
      if (group.empty()) {
        break;
      }
    }
  }
  return available;
}

}  // namespace

std::optional<double> available_memory_bytes() {
  const double available = std::min(available_on_machine(), available_in_group());
  return available < kNoLimit ? std::optional(available) : std::nullopt;
}

}  // namespace leaf
