#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"

namespace leaf::apps {

struct TrainingBenchOptions {
  CommonOptions common;
  bool precision_given = false;
  std::filesystem::path config;
  std::vector<std::string> overrides;
  int steps = 20;
  std::filesystem::path json;
};

/// Adds the command `train`; `options` must outlive the parsing.
CLI::App* add_training_bench(CLI::App& app, TrainingBenchOptions& options);

/// Times training steps and prints where their time went.
int bench_training(const TrainingBenchOptions& options);

}  // namespace leaf::apps
