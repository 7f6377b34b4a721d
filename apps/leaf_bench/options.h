#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"

namespace leaf::apps {

struct BenchOptions {
  CommonOptions common;
  std::filesystem::path model;
  std::int64_t batch = 1;
  int runs = 5;
  bool explain = false;
  bool serve = false;
  std::filesystem::path json;
  std::filesystem::path inputs;
  std::filesystem::path output;
  std::vector<std::filesystem::path> compare;
  std::filesystem::path config;
  std::vector<std::string> overrides;
  std::string split = "test";
  bool masks_only = false;
  std::filesystem::path results = "comparison";
};

/// `options` must outlive the parsing.
void add_bench_options(CLI::App& app, BenchOptions& options);

}  // namespace leaf::apps
