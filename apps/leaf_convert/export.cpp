#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/model.h"
#include "leaf_convert/commands.h"
#include "leaf_convert/target.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// What the published implementation multiplies latents by unless it is told otherwise.
constexpr double kReferenceScale = 0.18215;

struct Options {
  fs::path model;
  fs::path to;
  std::string format = enum_text(SaveOptions{}.format);
  std::string type = enum_text(SaveOptions{}.type);
  bool force = false;
};

int run(const Options& o) {
  check_target(o.to, o.force);
  const SaveOptions save{.type = parse_enum<WeightType>(o.type, "--dtype"),
                         .format = parse_enum<FolderFormat>(o.format, "--format")};
  const Model model = load_model(find_model_folder(o.model));
  save_model(o.to, model, save);
  const models::AutoencoderConfig& autoencoder = model.description.autoencoder;
  if (autoencoder.type == models::AutoencoderType::kKl &&
      autoencoder.scaling_factor != kReferenceScale) {
    log::warn(str("its latents are multiplied by ", autoencoder.scaling_factor,
                  ": tell the published implementation (LeafPipeline's scaling_factor)"));
  }
  log::info(str("model in '", o.to.string(), "', weights in ", o.type));
  return kExitSuccess;
}

}  // namespace

Command add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export", "A model folder for other programs: narrower weights, diffusers' names");
  const auto o = std::make_shared<Options>();
  command->add_option("model", o->model, "Model folder, or a run folder (its best, else its last)")
      ->required();
  command->add_option("--to", o->to, "Folder to write")->required();
  command
      ->add_option("--format", o->format,
                   "leaf: what the published implementation reads, and we; diffusers: the "
                   "autoencoder as diffusers' AutoencoderKL, the rest as leaf")
      ->capture_default_str();
  command->add_option("--dtype", o->type, "Weights as fp32, fp16 or bf16")->capture_default_str();
  command->add_flag("--force", o->force, "Replace a model folder that exists [off]");
  return {command, [o] { return run(*o); }};
}

}  // namespace leaf::apps
