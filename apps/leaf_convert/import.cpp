#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/import_weights.h"
#include "leaf/train/build_model.h"
#include "leaf_convert/commands.h"
#include "leaf_convert/target.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

struct ImportArguments {
  std::vector<std::string> paths;
  fs::path to;
  fs::path config;
  std::string init_missing = "no";
  std::optional<std::uint64_t> seed;
  bool force = false;
  ImportOptions how;
};

int run(ImportArguments o) {
  check_target(o.to, o.force);
  if (!o.config.empty()) {
    o.how.description = describe(config::load_config(o.config));
  }
  if (o.init_missing == "random") {
    o.how.random_seed = o.seed.value_or(0);
  } else if (o.seed) {
    throw ConfigError("--seed is of use with --init-missing random only; leave it out");
  }
  try {
    import_weights(o.paths, o.to, o.how);
  } catch (const io::WeightsMismatch& mismatch) {
    std::cerr << "leaf_convert: error: " << escaped(plain_message(mismatch)) << '\n';
    for (const std::string& line : mismatch.details()) {
      std::cerr << "  " << escaped(line) << '\n';
    }
    return kExitUsage;
  }
  return kExitSuccess;
}

}  // namespace

Command add_import(CLI::App& app) {
  auto* command = app.add_subcommand(
      "import",
      "Weights of other projects (CompVis, LEAF, SDSeg, diffusers, TAESD; teachers: DINOv2, "
      "timm, CLIP, MAE) -> a folder in our form");
  const auto o = std::make_shared<ImportArguments>();
  command
      ->add_option("paths", o->paths,
                   "Weight files and folders; PART=PATH takes only that network from a path "
                   "(autoencoder, latent_encoder, unet, decoder, teacher)")
      ->required();
  command->add_option("--to", o->to, "Folder to write")->required();
  command->add_flag("--ema", o->how.prefer_ema,
                    "Take the moving average of the U-Net where a file has both [off]");
  command->add_option(
      "--config", o->config,
      "Training configuration that describes the model or autoencoder [the weights tell]");
  command->add_option("--num-heads", o->how.num_heads,
                      "Attention heads of the U-Net, which no tensor tells [config.json, else 8]");
  command->add_option("--teacher", o->how.teacher,
                      "Which teacher it is, as alignment.teacher names it [the weights tell; the "
                      "first where several have the same shape]");
  command
      ->add_option("--init-missing", o->init_missing,
                   "random: networks that no file holds start at random; no: an error")
      ->check(CLI::IsMember({"no", "random"}))
      ->capture_default_str();
  command->add_option("--seed", o->seed, "Seed of such random weights [0]")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--force", o->force, "Replace a folder of ours that exists [off]");
  return {command, [o] { return run(*o); }};
}

}  // namespace leaf::apps
