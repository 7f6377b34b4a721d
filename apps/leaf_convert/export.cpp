#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "common/exit_code.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/export_weights.h"
#include "leaf_convert/commands.h"
#include "leaf_convert/target.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// What the published implementation multiplies latents by unless it is told otherwise.
constexpr double kReferenceScale = 0.18215;

struct ExportArguments {
  fs::path model;
  fs::path to;
  std::string format = enum_text(SaveOptions{}.format);
  std::string type = enum_text(SaveOptions{}.type);
  bool force = false;
};

void warn_of_scale(const models::AutoencoderConfig& autoencoder) {
  const double scale = autoencoder.scaling_factor;
  if (autoencoder.type == models::AutoencoderType::kKl &&
      static_cast<float>(scale) != static_cast<float>(kReferenceScale)) {
    log::warn(str("this model's scaling factor of the latents is ", scale, ", not the usual ",
                  kReferenceScale,
                  ": leaf and diffusers read it in vae/config.json, the published implementation "
                  "must be told: LeafPipeline(..., scaling_factor=",
                  scale, ")"));
  }
}

int run(const ExportArguments& o) {
  check_target(o.to, o.force);
  const SaveOptions save{.type = parse_enum<WeightType>(o.type, "--dtype"),
                         .format = parse_enum<FolderFormat>(o.format, "--format")};
  const auto description = export_weights(o.model, o.to, save);
  if (description && save.format != FolderFormat::kSdseg) {
    warn_of_scale(description->autoencoder);
  }
  log::info(str("exported to '", o.to.string(), "', weights in ", o.type));
  return kExitSuccess;
}

}  // namespace

Command add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export", "Our weights for other programs: narrower numbers, diffusers' names");
  const auto o = std::make_shared<ExportArguments>();
  command
      ->add_option("folder", o->model,
                   "Model folder, a run folder (its best, else its last), or a folder with an "
                   "autoencoder or a teacher alone")
      ->required();
  command->add_option("--to", o->to, "Folder to write")->required();
  command
      ->add_option("--format", o->format,
                   "leaf: what the published implementation reads, and we; diffusers: the "
                   "autoencoder as diffusers' AutoencoderKL, the rest as leaf; sdseg: one file "
                   "under the names of SDSeg's checkpoints")
      ->capture_default_str();
  command->add_option("--dtype", o->type, "Weights as fp32, fp16 or bf16")->capture_default_str();
  command->add_flag("--force", o->force, "Replace a folder of ours that exists [off]");
  return {command, [o] { return run(*o); }};
}

}  // namespace leaf::apps
