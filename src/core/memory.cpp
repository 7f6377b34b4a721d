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

double available_on_machine() {
  std::ifstream file("/proc/meminfo");
  for (std::string name; file >> name;) {
    double kilobytes = 0;
    if (name == "MemAvailable:" && file >> kilobytes) {
      return kilobytes * 1024;
    }
  }
  return 0;
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
        available = std::min(available, std::max(0.0, *limit - *used));
      }
      if (group.empty()) {
        break;
      }
    }
  }
  return available;
}

}  // namespace

double available_memory_bytes() { return std::min(available_on_machine(), available_in_group()); }

}  // namespace leaf
