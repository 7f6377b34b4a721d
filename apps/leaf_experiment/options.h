#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"

namespace leaf::apps {

struct ExperimentOptions {
  std::filesystem::path file;
  bool small = false;
  bool dry_run = false;
  std::vector<std::string> overrides;
  CommonOptions common;
  bool precision_given = false;
};

/// `options` must outlive the parsing.
void add_experiment_options(CLI::App& app, ExperimentOptions& options);

}  // namespace leaf::apps
