#include "leaf_bench/training.h"

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/exit_code.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/train/trainer.h"

namespace leaf::apps {
namespace {

void print(const TrainingProfile& p, const Config& config, const Runtime& runtime) {
  const auto steps = static_cast<double>(p.steps);
  std::cout << "set-up        batch " << config.train.train_batch_size << ", "
            << enum_text(config.train.mixed_precision) << ", " << runtime.device << ", "
            << at::get_num_threads() << (at::get_num_threads() == 1 ? " thread\n" : " threads\n")
            << "step          " << fixed(p.seconds / steps, 3) << " s, "
            << fixed(steps / p.seconds, 2) << " steps/s, "
            << fixed(static_cast<double>(p.images) / p.seconds, 1) << " images/s (" << p.steps
            << " steps)\n"
            << "peak memory   " << bytes_text(p.peak_memory_bytes) << "\n";
  std::vector<std::pair<std::string, double>> stages(p.stages.begin(), p.stages.end());
  std::sort(stages.begin(), stages.end(),
            [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [stage, seconds] : stages) {
    std::cout << std::left << std::setw(22) << stage << std::right << std::setw(10)
              << fixed(1000 * seconds / steps, 1) << " ms" << std::setw(8)
              << fixed(100 * seconds / p.seconds, 1) << " %\n";
  }
  std::cout << std::flush;
}

void write_json(const std::filesystem::path& path, const TrainingProfile& p) {
  nlohmann::ordered_json json{{"steps", p.steps},
                              {"images", p.images},
                              {"seconds", p.seconds},
                              {"steps_per_second", static_cast<double>(p.steps) / p.seconds},
                              {"peak_gb", p.peak_memory_bytes / 1e9},
                              {"stages_s", p.stages}};
  write_file(path, json.dump(2) + "\n");
}

}  // namespace

CLI::App* add_training_bench(CLI::App& app, TrainingBenchOptions& o) {
  auto* command =
      app.add_subcommand("train", "Times training steps: steps/s, memory, and where the time goes");
  command->add_option("--config", o.config, "Configuration file, as for leaf_train")->required();
  command->add_option("--set", o.overrides, "Override a value: KEY=VALUE; may be repeated");
  command->add_option("--steps", o.steps, "Timed steps, after a first one that is not")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--json", o.json, "Also write the figures to this file");
  add_common_options(*command, o.common);
  command->get_option("--precision")
      ->description("Arithmetic of the networks: fp32 or bf16 [train.mixed_precision]")
      ->default_str("");
  return command;
}

int bench_training(const TrainingBenchOptions& o) {
  const Runtime runtime = apply(o.common);
  Config config = config::load_config(o.config, o.overrides);
  if (o.precision_given) {
    config.train.mixed_precision = training_precision(runtime);
  }
  Trainer trainer(config, runtime.device);
  const TrainingProfile profile = trainer.profile(o.steps);
  print(profile, config, runtime);
  if (!o.json.empty()) {
    write_json(o.json, profile);
  }
  return kExitSuccess;
}

}  // namespace leaf::apps
