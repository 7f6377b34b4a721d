#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"

namespace leaf::config {

/// What a number of an experiment's table is: the mean score over the images, or the standard
/// deviation of such means over several starting noises.
enum class Statistic { kMean, kNoiseDeviation };
inline EnumNames<Statistic> enum_names(Statistic /*tag*/) {
  return {{Statistic::kMean, "mean"}, {Statistic::kNoiseDeviation, "noise_deviation"}};
}

/// A data set: the configuration that every row starts from.
struct ExperimentColumn {
  std::string name;
  std::filesystem::path config;
};

/// A setting to compare.
struct ExperimentRow {
  std::string name;
  std::vector<std::string> overrides;  ///< KEY=VALUE
  /// What a publication says, by column: a text per metric ("95.2", "79.88 ± 0.11").
  std::map<std::string, std::vector<std::string>> published = {};
};

/// A table to be made by training: every row with every column and every seed.
struct Experiment {
  std::string title;
  /// The folder of its runs, which other experiments may share.
  std::filesystem::path output;
  std::string split = "test";
  std::vector<std::string> metrics{"dice"};
  Statistic statistic = Statistic::kMean;
  /// Of training, each a run; and how many starting noises a model is scored with.
  std::vector<std::uint64_t> seeds{1337};
  std::int64_t noise_seeds = 1;
  std::vector<ExperimentColumn> columns;
  std::vector<ExperimentRow> rows;
  /// For every run, before those of its row.
  std::vector<std::string> overrides = {};
};

/// Reads an experiment; `small` takes the columns' `small` configurations and what its section
/// `small` says in place of the rest. Throws ConfigError, naming file and line, for what is wrong;
/// FileError for a file that cannot be read.
Experiment load_experiment(const std::filesystem::path& file, bool small);

/// One run of an experiment.
struct ExperimentCell {
  std::size_t row = 0;
  std::size_t column = 0;
  std::uint64_t seed = 0;
  std::filesystem::path config;
  std::vector<std::string> overrides;  ///< all of them, seed and output.dir too
  /// Its run folder, named by everything that is learned and for how long: equal runs of several
  /// experiments are one.
  std::filesystem::path folder;
};

/// All runs, column by column. Throws ConfigError for a configuration that cannot be.
std::vector<ExperimentCell> cells_of(const Experiment& experiment,
                                     const std::vector<std::string>& more_overrides = {});

}  // namespace leaf::config
