// leaf_experiment: makes a table of many runs of leaf_train and leaf_eval.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>

#include "common/child_process.h"
#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/run_app.h"
#include "leaf/config/experiment.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/report/result_table.h"
#include "leaf_experiment/options.h"
#include "leaf_experiment/runs.h"

namespace {

namespace fs = std::filesystem;
using leaf::str;
using leaf::apps::ExperimentOptions;
using leaf::apps::ExperimentRuns;
using leaf::apps::RunState;
using leaf::config::Experiment;
using leaf::config::ExperimentCell;

/// Where the table goes: beside the runs, under the file's name.
fs::path table_folder(const Experiment& experiment, const ExperimentOptions& options) {
  return experiment.output /
         (options.file.stem().string() + std::string(options.small ? "-small" : ""));
}

const leaf::metrics::Metric& metric_of(const std::string& key) {
  return leaf::metrics::all_metrics()[leaf::metrics::metric_index(key)];
}

/// Scores up to 1 are printed in per cent, as publications do.
double factor_of(const leaf::metrics::Metric& metric) { return metric.highest == 1 ? 100 : 1; }

/// What the runs of a row scored on a column, by a metric of the experiment.
leaf::report::Result make_result(const Experiment& experiment, const ExperimentRuns& runs,
                                 std::size_t row, std::size_t column, std::size_t metric) {
  leaf::report::Result result;
  const auto& published = experiment.rows[row].published;
  if (const auto found = published.find(experiment.columns[column].name);
      found != published.end()) {
    result.published = found->second[metric];
  }
  const std::string& key = experiment.metrics[metric];
  for (const ExperimentCell& cell : runs.cells()) {
    if (cell.row == row && cell.column == column && runs.state(cell) == RunState::kDone) {
      if (const auto score = runs.score(cell, key)) {
        result.values.push_back(factor_of(metric_of(key)) * *score);
      }
    }
  }
  return result;
}

leaf::report::ResultTable make_table(const Experiment& experiment, const ExperimentRuns& runs) {
  leaf::report::ResultTable table{.title = experiment.title, .columns = {}, .rows = {}};
  const bool deviation = experiment.statistic == leaf::config::Statistic::kNoiseDeviation;
  for (const auto& row : experiment.rows) {
    table.rows.push_back({row.name, {}});
  }
  for (std::size_t column = 0; column < experiment.columns.size(); ++column) {
    for (std::size_t i = 0; i < experiment.metrics.size(); ++i) {
      const leaf::metrics::Metric& metric = metric_of(experiment.metrics[i]);
      table.columns.push_back(str(experiment.columns[column].name, " ", metric.title,
                                  deviation ? " std" : "", factor_of(metric) == 100 ? " (%)" : ""));
      for (std::size_t row = 0; row < experiment.rows.size(); ++row) {
        table.rows[row].results.push_back(make_result(experiment, runs, row, column, i));
      }
    }
  }
  return table;
}

std::string name_of(const Experiment& experiment, const ExperimentCell& cell) {
  return str(experiment.columns[cell.column].name, ", ", experiment.rows[cell.row].name, ", seed ",
             cell.seed);
}

const char* text_of(RunState state) {
  return state == RunState::kDone ? "done" : state == RunState::kBegun ? "begun" : "to do";
}

void show_runs(const Experiment& experiment, const ExperimentRuns& runs) {
  for (const ExperimentCell& cell : runs.cells()) {
    std::cout << name_of(experiment, cell) << ": " << text_of(runs.state(cell)) << "\n  "
              << leaf::join(runs.training(cell), " ") << "\n  "
              << leaf::join(runs.evaluation(cell), " ") << "\n";
  }
}

/// Programs lie beside this one.
int run(const std::vector<std::string>& words) {
  return leaf::apps::run_program(fs::read_symlink("/proc/self/exe").parent_path() / words.front(),
                                 words);
}

/// Trains and scores a run; returns the exit code.
int finish(const ExperimentRuns& runs, const ExperimentCell& cell) {
  const int trained = run(runs.training(cell));
  return trained == leaf::apps::kExitSuccess ? run(runs.evaluation(cell)) : trained;
}

int run_all(const Experiment& experiment, const ExperimentRuns& runs, const fs::path& folder) {
  leaf::apps::handle_interrupts();
  int failed = 0;
  const std::size_t count = runs.cells().size();
  for (std::size_t i = 0; i < count && !leaf::apps::interrupted(); ++i) {
    const ExperimentCell& cell = runs.cells()[i];
    if (runs.state(cell) == RunState::kDone) {
      continue;
    }
    leaf::log::info(str("run ", i + 1, " of ", count, ": ", name_of(experiment, cell), " (",
                        cell.folder.string(), ")"));
    const int code = finish(runs, cell);
    if (code != leaf::apps::kExitSuccess && !leaf::apps::interrupted()) {
      leaf::log::error(str("run ", i + 1, " of ", count, " (", name_of(experiment, cell),
                           ") failed with exit code ", code, "; the same command tries it again"));
      ++failed;
    }
    leaf::report::write_result_table(folder, make_table(experiment, runs));
  }
  leaf::report::write_result_table(folder, make_table(experiment, runs));
  std::cout << leaf::read_file(folder / "table.md") << "\ntable: " << folder.string()
            << "/table.md, table.csv, plot.svg\n";
  if (leaf::apps::interrupted()) {
    leaf::log::warn("interrupted; the same command goes on");
    return leaf::apps::kExitInterrupted;
  }
  return failed > 0 ? leaf::apps::kExitSomeFailed : leaf::apps::kExitSuccess;
}

int run_experiment(const ExperimentOptions& options) {
  leaf::log::set_level(options.common.quiet     ? leaf::log::Level::kQuiet
                       : options.common.verbose ? leaf::log::Level::kVerbose
                                                : leaf::log::Level::kNormal);
  const Experiment experiment = leaf::config::load_experiment(options.file, options.small);
  const ExperimentRuns runs(experiment, options);
  if (options.dry_run) {
    show_runs(experiment, runs);
    return leaf::apps::kExitSuccess;
  }
  return run_all(experiment, runs, table_folder(experiment, options));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Makes a table: trains and scores every setting on every data set.",
               "leaf_experiment"};
  ExperimentOptions options;
  leaf::apps::add_experiment_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] {
    options.precision_given = app.get_subcommand("run")->count("--precision") > 0;
    return run_experiment(options);
  });
}
