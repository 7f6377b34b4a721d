#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tiny_project.h"

namespace leaf::test {

/// A TinyProject of 6 images (0001 to 0004 to train, 0005 to validate, 0006 to test) whose
/// train.yaml asks for 4 steps, each logged, with a checkpoint and a validation at every second.
struct TrainProject : TinyProject {
  TrainProject();

  /// The command line of leaf_train that trains into `run` on one CPU thread.
  std::vector<std::string> arguments(const std::string& run,
                                     const std::vector<std::string>& more = {},
                                     const std::string& config = "train.yaml") const;
  Outcome train(const std::string& run, const std::vector<std::string>& more = {}) const;
};

/// The files below a folder by their relative names, and the folders below it as "NAME/".
std::map<std::string, std::string> contents(const std::filesystem::path& folder);

/// The names of the files that are not in both or differ; an empty folder differs from everything.
std::vector<std::string> differences(const std::filesystem::path& a,
                                     const std::filesystem::path& b);

/// The lines of a run's metrics.jsonl without what differs from run to run.
std::vector<std::string> metrics(const std::filesystem::path& run);

/// Steps done according to a run's newest checkpoint, which must be readable.
std::int64_t checkpoint_step(const std::filesystem::path& run);

/// Expects that best, last and the newest checkpoint can be loaded and that nothing half-written
/// lies about.
void expect_intact(const std::filesystem::path& run);

/// Expects the same weights, optimizer state and metrics, bit for bit.
void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace leaf::test
