#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"
#include "leaf/train/trainer.h"

namespace leaf::apps {

struct TrainOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;
  RunStart start;
  bool print_config = false;
  bool dry_run = false;
  bool doctor = false;
  int processes = 1;
  CommonOptions common;
};

/// `options` must outlive the parsing.
void add_train_options(CLI::App& app, TrainOptions& options);

}  // namespace leaf::apps
