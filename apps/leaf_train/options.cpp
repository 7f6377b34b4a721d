#include "leaf_train/options.h"

#include <CLI/CLI.hpp>

namespace leaf::apps {

void add_train_options(CLI::App& app, TrainOptions& options) {
  app.add_option("--config", options.config, "Configuration file (docs/configuration.md)")
      ->required();
  app.add_option("--set", options.overrides, "Override a value: KEY=VALUE; may be repeated");
  auto* resume =
      app.add_flag("--resume", options.start.resume, "Continue the run in output.dir [off]");
  app.add_flag("--allow-changes", options.start.allow_changes,
               "Continue it although the configuration changes what is learned or scored [off]")
      ->needs(resume);
  app.add_flag("--print-config", options.print_config,
               "Show the resolved configuration with the origin of each value, and stop [off]");
  app.add_flag("--dry-run", options.dry_run,
               "Check data, masks and weights, run a step and a validation batch, estimate time "
               "and memory, stop [off]");
  app.add_flag("--doctor", options.doctor,
               "Say how LibTorch, GPU, memory, threads, weights and data stand and what to do, "
               "and stop; exit code 1 where something is to be done [off]");
  app.add_option("--nproc", options.processes,
                 "Train in that many processes on this machine, one GPU each where there are GPUs")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_common_options(app, options.common);
  app.get_option("--precision")
      ->description("Arithmetic of the networks: fp32 or bf16 [train.mixed_precision]")
      ->default_str("");
}

}  // namespace leaf::apps
