#pragma once

#include <filesystem>
#include <optional>

#include "config/differences.h"
#include "leaf/config/config.h"
#include "leaf/data/split.h"
#include "train/checkpoint.h"

namespace leaf {

/// What a configuration changes of the run in its output.dir, if there is one. ConfigError lists
/// changes of what is learned or scored, unless they are `allowed`.
config::Differences find_changes(const Config& config, bool allowed);

/// Logs them, once the run really goes on.
void report_changes(const config::Differences& changes);

/// The pairs of each part. A run that is continued keeps its division, whatever has come to the
/// data set or left it; throws DataError where most of its images are gone.
data::SplitPairs divide_for_run(const Config& config);

struct FoundCheckpoint {
  std::filesystem::path path;
  Checkpoint checkpoint;
};

/// The newest checkpoint below `folder`; a damaged one is stepped over with a warning. Nothing
/// where there is none at all, WeightsError or FileError when none can be read.
std::optional<FoundCheckpoint> newest_readable(const std::filesystem::path& folder);

}  // namespace leaf
