#include "train/run_log.h"

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "train/tensorboard.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::ordered_json;
namespace {

double wall_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

/// The lines of an earlier metrics file up to `last_step`; a half-written last line is dropped.
std::string kept_lines(const fs::path& path, std::int64_t last_step) {
  std::string kept;
  if (!fs::exists(path)) {
    return kept;
  }
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (entry.is_object() && entry.contains("step") && entry["step"].is_number_integer() &&
        entry["step"] <= last_step) {
      kept += line + "\n";
    }
  }
  return kept;
}

/// TensorBoard shows every step that any of its files holds: those after `last_step` go.
void drop_later_events(const fs::path& folder, std::int64_t last_step) {
  for (const fs::path& file : list_folder(folder)) {
    if (fs::is_regular_file(file) && file.extension() == ".leaf") {
      const std::string events = read_file(file);
      const std::string kept = tensorboard::records_up_to(events, last_step);
      if (kept != events) {
        write_file(file, kept);
      }
    }
  }
}

}  // namespace

RunLog::RunLog(const fs::path& folder, std::int64_t last_step) : path_(folder / "metrics.jsonl") {
  write_file(path_, kept_lines(path_, last_step));
  errno = 0;
  metrics_.open(path_, std::ios::app);
  const fs::path tensorboard = folder / "tensorboard";
  make_folder(tensorboard);
  drop_later_events(tensorboard, last_step);
  events_.open(tensorboard / str("events.out.tfevents.", static_cast<std::int64_t>(wall_time()),
                                 ".", last_step, ".leaf"),
               std::ios::binary);
  events_ << tensorboard::file_version_record(wall_time());
  if (!metrics_ || !events_) {
    throw_cannot_write(metrics_ ? tensorboard : path_, errno);
  }
}

void RunLog::write(std::int64_t step, const std::string& phase, const Scores& scores) {
  ordered_json entry{{"step", step}, {"phase", phase}};
  errno = 0;
  for (const auto& [name, value] : scores) {
    entry[name] = value;
    events_ << tensorboard::scalar_record(wall_time(), step, str(phase, "/", name),
                                          static_cast<float>(value));
  }
  metrics_ << entry.dump() << std::endl;
  require_written();
}

void RunLog::write_images(std::int64_t step, const std::string& phase, const fs::path& folder) {
  if (!fs::exists(folder)) {
    return;
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path kind = entry.path().extension();
    if (entry.is_regular_file() && (kind == ".jpg" || kind == ".png")) {
      const fs::path name = entry.path().lexically_relative(folder).replace_extension();
      const data::ImageSize size = data::size_of(data::read_image(entry.path()).rgb);
      events_ << tensorboard::image_record(
          wall_time(), step, str(phase, "/", name.string()),
          {.height = size.height, .width = size.width, .encoded = read_file(entry.path())});
    }
  }
  require_written();
}

void RunLog::require_written() {
  events_.flush();
  if (!metrics_ || !events_) {
    throw_cannot_write(path_, errno);
  }
}

}  // namespace leaf
