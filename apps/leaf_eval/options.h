#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"
#include "leaf/data/data_config.h"

namespace leaf::apps {

struct EvalOptions {
  CommonOptions common;
  std::filesystem::path output;
  // A model on a data set.
  std::filesystem::path model;
  std::filesystem::path config;
  std::vector<std::string> overrides;
  std::string split = "test";
  std::uint64_t seed = 0;
  std::string noise = "normal";
  std::int64_t num_inference_steps = 0;
  std::int64_t batch_size = 0;
  std::int64_t seeds = 1;
  bool native = true;
  std::int64_t overlays = 0;
  // Mask files.
  std::filesystem::path predictions;
  std::filesystem::path ground_truth;
  std::string truth_prefix;
  std::string truth_suffix;
  std::int64_t threshold = data::kMaskThreshold;
  std::int64_t ignore_value = data::kNoIgnoreValue;
};

/// Both score, write and print; they return the exit code.
int score_model(const EvalOptions& options);
int score_masks(const EvalOptions& options);

}  // namespace leaf::apps
