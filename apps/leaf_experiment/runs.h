#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "leaf/config/experiment.h"
#include "leaf/core/folder_lock.h"
#include "leaf_experiment/options.h"

namespace leaf::apps {

enum class RunState { kNew, kBegun, kDone };

/// The runs of an experiment: how far each is, and what makes it go on.
class ExperimentRuns {
 public:
  ExperimentRuns(const config::Experiment& experiment, const ExperimentOptions& options);

  const std::vector<config::ExperimentCell>& cells() const { return cells_; }
  RunState state(const config::ExperimentCell& cell) const;

  /// Keeps a run for this process and those that it starts while the result lives, so that several
  /// processes make a table together; null when another has it. The empty folder that is locked
  /// stays: removed, it could be gone between another process's making and opening it.
  std::unique_ptr<FolderLock> claim(const config::ExperimentCell& cell) const;

  /// The command lines of leaf_train and leaf_eval, program first.
  std::vector<std::string> training(const config::ExperimentCell& cell) const;
  std::vector<std::string> evaluation(const config::ExperimentCell& cell) const;

  /// The score of a run that is done, a metric of the experiment; nothing where it has none.
  std::optional<double> score(const config::ExperimentCell& cell, const std::string& metric) const;

 private:
  std::filesystem::path scores(const config::ExperimentCell& cell) const;
  std::vector<std::string> common(const config::ExperimentCell& cell) const;

  const config::Experiment& experiment_;
  const ExperimentOptions& options_;
  std::vector<config::ExperimentCell> cells_;
};

}  // namespace leaf::apps
