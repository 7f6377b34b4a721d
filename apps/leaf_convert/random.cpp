#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"
#include "leaf/train/build_model.h"
#include "leaf_convert/commands.h"
#include "leaf_convert/target.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

struct RandomArguments {
  fs::path config;
  std::vector<std::string> overrides;
  fs::path to;
  std::optional<std::uint64_t> seed;
  bool force = false;
};

int run(const RandomArguments& o) {
  check_target(o.to, o.force);
  const Config config = config::load_config(o.config, o.overrides);
  TrainingModel model = make_model(describe(config));
  initialise(model, o.seed.value_or(config.seed));
  save_model(o.to, model);
  log::info(str("model with random weights in '", o.to.string(), "'"));
  return kExitSuccess;
}

}  // namespace

Command add_random(CLI::App& app) {
  auto* command = app.add_subcommand("random", "Writes a model folder with random weights");
  const auto o = std::make_shared<RandomArguments>();
  command->add_option("--config", o->config, "Configuration that describes the model")->required();
  command->add_option("--set", o->overrides, "KEY=VALUE ... in place of what it says");
  command->add_option("--to", o->to, "Model folder to write")->required();
  command->add_option("--seed", o->seed, "Seed of the weights [the configuration's seed]")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--force", o->force, "Replace a model folder that exists [off]");
  return {command, [o] { return run(*o); }};
}

}  // namespace leaf::apps
