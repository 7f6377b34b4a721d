#include "leaf_experiment/options.h"

#include <CLI/CLI.hpp>

namespace leaf::apps {

void add_experiment_options(CLI::App& app, ExperimentOptions& options) {
  auto* run = app.add_subcommand(
      "run", "Trains and scores every run of a table that is not done yet, and writes the table");
  app.require_subcommand(1);
  run->add_option("file", options.file, "Experiment file (docs/experiments.md)")->required();
  run->add_flag("--small", options.small,
                "Take the small configurations of the file: hours on a CPU, for the way and not "
                "the numbers [off]");
  run->add_flag("--dry-run", options.dry_run,
                "Show the runs, what is done of them and their commands, and stop [off]");
  run->add_option("--set", options.overrides, "Override a value in every run: KEY=VALUE");
  add_common_options(*run, options.common);
  run->get_option("--precision")
      ->description("Arithmetic of the networks: fp32 or bf16 [train.mixed_precision]")
      ->default_str("");
}

}  // namespace leaf::apps
