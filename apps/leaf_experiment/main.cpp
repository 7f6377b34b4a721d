// leaf_experiment: makes a table of many runs of leaf_train and leaf_eval.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/child_process.h"
#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/run_app.h"
#include "leaf/config/experiment.h"
#include "leaf/core/files.h"
#include "leaf/core/folder_lock.h"
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
    if (cell.row != row || cell.column != column) {
      continue;
    }
    ++result.runs;
    const auto score = runs.state(cell) == RunState::kDone ? runs.score(cell, key) : std::nullopt;
    if (score) {
      result.values.push_back(factor_of(metric_of(key)) * *score);
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

/// A word as a shell takes it.
std::string shell_word(const std::string& word) {
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-+=.,:/@%").find(c) != std::string::npos;
  });
  if (is_plain) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return quoted + "'";
}

std::string shell_text(std::vector<std::string> words) {
  std::transform(words.begin(), words.end(), words.begin(), shell_word);
  return leaf::join(words, " ");
}

void show_runs(const Experiment& experiment, const ExperimentRuns& runs) {
  const auto done = std::count_if(runs.cells().begin(), runs.cells().end(), [&](const auto& cell) {
    return runs.state(cell) == RunState::kDone;
  });
  std::cout << runs.cells().size() << " runs, " << done << " done\n";
  for (const ExperimentCell& cell : runs.cells()) {
    std::cout << name_of(experiment, cell) << ": " << text_of(runs.state(cell)) << "\n  "
              << shell_text(runs.training(cell)) << "\n  " << shell_text(runs.evaluation(cell))
              << "\n";
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

enum class Made { kNow, kBefore, kElsewhere, kFailed };

/// Makes a run unless it is done, or another process makes it.
Made make_run(const Experiment& experiment, const ExperimentRuns& runs, std::size_t index) {
  const ExperimentCell& cell = runs.cells()[index];
  const std::string name =
      str("run ", index + 1, " of ", runs.cells().size(), " (", name_of(experiment, cell), ")");
  if (runs.state(cell) == RunState::kDone) {
    return Made::kBefore;
  }
  const auto claimed = runs.claim(cell);
  if (claimed == nullptr) {
    leaf::log::info(name + " is made by another process");
    return Made::kElsewhere;
  }
  if (runs.state(cell) == RunState::kDone) {  // by another process, a moment ago
    return Made::kBefore;
  }
  leaf::log::info(str(name, ": ", cell.folder.string()));
  const int code = finish(runs, cell);
  if (code != leaf::apps::kExitSuccess && !leaf::apps::interrupted()) {
    leaf::log::error(
        str(name, " failed with exit code ", code, "; the same command tries it again"));
    return Made::kFailed;
  }
  return Made::kNow;
}

/// The table of what is done by now, by whatever process.
void write_table(const Experiment& experiment, const ExperimentRuns& runs, const fs::path& folder) {
  leaf::make_folder(folder);
  auto lock = leaf::FolderLock::unless_held(folder);
  for (; lock == nullptr; lock = leaf::FolderLock::unless_held(folder)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  leaf::report::write_result_table(folder, make_table(experiment, runs));
}

int run_all(const Experiment& experiment, const ExperimentRuns& runs, const fs::path& folder) {
  leaf::apps::handle_interrupts();
  std::map<Made, int> counts;
  for (std::size_t i = 0; i < runs.cells().size() && !leaf::apps::interrupted(); ++i) {
    const Made made = make_run(experiment, runs, i);
    ++counts[made];
    if (made == Made::kNow || made == Made::kFailed) {
      write_table(experiment, runs, folder);
    }
  }
  write_table(experiment, runs, folder);
  std::cout << leaf::read_file(folder / "table.md") << "\ntable: " << folder.string()
            << "/table.md, table.csv, plot.svg\n";
  if (leaf::apps::interrupted()) {
    leaf::log::warn("interrupted; the same command goes on");
    return leaf::apps::kExitInterrupted;
  }
  if (counts[Made::kElsewhere] > 0) {
    leaf::log::info(str("runs left to other processes: ", counts[Made::kElsewhere],
                        "; the last to end writes the whole table"));
  }
  return counts[Made::kFailed] > 0 ? leaf::apps::kExitSomeFailed : leaf::apps::kExitSuccess;
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
