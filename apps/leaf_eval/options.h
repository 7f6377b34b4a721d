#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/options.h"
#include "leaf/data/data_config.h"

namespace CLI {
class App;
}

namespace leaf::apps {

/// How masks are scored and summarised, as typed.
struct ScoringArguments {
  std::vector<std::string> metrics{"overlap", "boundary", "objects"};
  std::string spacing;
  double tolerance = 2;
  double object_overlap = 0;
  std::string convention = "leaf";
  bool compare_conventions = false;
  std::string groups;
  std::string by_size;
  std::vector<std::string> by;
  std::uint64_t bootstrap_seed = 1337;
};

struct EvalOptions {
  CommonOptions common;
  std::filesystem::path output;
  ScoringArguments scoring;
  // A model on a data set.
  std::filesystem::path model;
  std::filesystem::path config;
  std::vector<std::string> overrides;
  std::string split;  ///< empty: test
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
  std::filesystem::path probabilities;
  std::string truth_prefix;
  std::string truth_suffix;
  std::int64_t threshold = data::kMaskThreshold;
  std::int64_t ignore_value = data::kNoIgnoreValue;
  std::vector<std::string> classes;
  bool nested_classes = false;
  // Earlier evaluations.
  std::vector<std::filesystem::path> compare;
  std::vector<std::string> columns;
  // Pictures and pages.
  bool report = false;
  bool figure = false;
  std::vector<std::filesystem::path> figure_with;
  std::filesystem::path images;
  bool tune_threshold = false;
};

/// Declares all options; `options` must outlive the parsing.
void add_options(CLI::App& app, EvalOptions& options);

/// They score or compare, write and print; they return the exit code.
int score_model(const EvalOptions& options);
int score_masks(const EvalOptions& options);
int compare_runs(const EvalOptions& options);

}  // namespace leaf::apps
