#include "resume.h"

#include <exception>
#include <string>
#include <vector>

#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

Config load_run_config(const fs::path& file) {
  try {
    return config::load_config(file);
  } catch (const Error& failure) {
    throw ConfigError(str("cannot tell what the run was started with: ", failure.what(),
                          "; mend the file, or continue with RunStart::allow_changes"));
  }
}

[[noreturn]] void refuse(const Config& config, const std::vector<std::string>& changes) {
  throw ConfigError(str(
      "the run in '", config.output.dir.string(), "' was started otherwise: ", join(changes, "; "),
      ". Restore these values, choose another OutputSection::dir, or continue with "
      "RunStart::allow_changes"));
}

}  // namespace

config::Differences find_changes(const Config& config, bool allowed) {
  const fs::path file = config.output.dir / kRunConfig;
  if (!fs::exists(file)) {
    return {};
  }
  config::Differences changes;
  try {
    changes = config::differences(load_run_config(file), config);
  } catch (const ConfigError& failure) {
    if (!allowed) {
      throw;
    }
    log::warn(failure.what());
  }
  if (!changes.others.empty() && !allowed) {
    refuse(config, changes.others);
  }
  return changes;
}

void report_changes(const config::Differences& changes) {
  if (!changes.harmless.empty()) {
    log::info(str("changed since the run was started: ", join(changes.harmless, "; ")));
  }
  if (!changes.others.empty()) {
    log::warn(
        str("the run goes on otherwise than it was started, so that scores before and after "
            "do not compare: ",
            join(changes.others, "; ")));
  }
}

data::SplitPairs divide_for_run(const Config& config) {
  const fs::path split_csv = config.output.dir / kRunSplit;
  if (!fs::exists(split_csv)) {
    return data::split_pairs(config.data, config.seed);
  }
  data::SplitPairs pairs = data::split_pairs_of_run(config.data, split_csv);
  if (pairs.absent > pairs.present) {
    throw DataError(str("'", split_csv.string(), "' lists ", pairs.absent,
                        " images that are not in '", config.data.root.string(),
                        "', most of the run's; set DataConfig::root to where they are"));
  }
  return pairs;
}

std::optional<FoundCheckpoint> newest_readable(const fs::path& folder) {
  std::exception_ptr first_failure;
  std::vector<fs::path> left = complete_checkpoints(folder);
  for (; !left.empty(); left.pop_back()) {
    try {
      return FoundCheckpoint{left.back(), read_checkpoint(left.back())};
    } catch (const Error& failure) {
      first_failure = first_failure ? first_failure : std::current_exception();
      if (left.size() > 1) {
        log::warn(str(failure.what(), "; taking the checkpoint before it"));
      }
    }
  }
  if (first_failure) {
    std::rethrow_exception(first_failure);
  }
  return std::nullopt;
}

}  // namespace leaf
