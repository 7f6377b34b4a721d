#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "train/task.h"

namespace leaf {

/// A run's numbers: metrics.jsonl (one JSON object a line, the source of truth) and the same
/// scalars, with pictures, as TensorBoard events.
class RunLog {
 public:
  /// Continues the files of `folder`; lines and events of steps after `last_step` (from before a
  /// crash) are dropped.
  RunLog(const std::filesystem::path& folder, std::int64_t last_step);

  /// Appends {"step": step, "phase": phase, scores...}; phase is "train" or "validation".
  void write(std::int64_t step, const std::string& phase, const Scores& scores);

  /// Shows the JPEG and PNG files of a folder, which need not be there, under "PHASE/NAME".
  void write_images(std::int64_t step, const std::string& phase,
                    const std::filesystem::path& folder);

 private:
  void require_written();

  std::filesystem::path path_;
  std::ofstream metrics_;
  std::ofstream events_;
};

}  // namespace leaf
