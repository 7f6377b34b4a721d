// leaf_train: trains what a configuration file describes.
#include <ATen/Context.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "common/exit_code.h"
#include "common/field_names.h"
#include "common/interrupt.h"
#include "common/progress.h"
#include "common/run_app.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/field_names.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "leaf/report/learning_curves.h"
#include "leaf/train/doctor.h"
#include "leaf/train/process_group.h"
#include "leaf/train/trainer.h"
#include "leaf_train/launcher.h"
#include "leaf_train/options.h"

namespace {

using leaf::fixed;
using leaf::str;

/// What a run would find in its folder.
void note_run_folder(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / leaf::kRunSplit)) {
    leaf::log::info(str("the parts are those of '", (folder / leaf::kRunSplit).string(), "'"));
  }
  if (std::filesystem::exists(folder)) {
    leaf::log::warn(str("output.dir '", folder.string(),
                        "' exists: a run needs --resume, or another output.dir"));
  }
}

int dry_run(leaf::Trainer& trainer) {
  const leaf::DryRunReport report = trainer.dry_run();
  std::cout << "images             " << report.train_images << " train, "
            << report.validation_images << " validation, " << report.test_images << " test\n"
            << "train masks        " << fixed(100 * report.with_foreground, 1)
            << " % have foreground; of all pixels, " << fixed(100 * report.foreground, 2)
            << " % are foreground\n"
            << "trained parameters " << report.trained_parameters << "\n";
  for (const auto& [name, value] : report.scores) {
    std::cout << name << std::string(name.size() < 19 ? 19 - name.size() : 1, ' ') << value << "\n";
  }
  const bool validates = report.validation_images > 0;
  std::cout << "one step           " << leaf::duration_text(report.seconds_per_step) << "\n";
  if (validates) {
    std::cout << "one validation     about " << leaf::duration_text(report.seconds_per_validation)
              << "\n";
  }
  std::cout << "whole run          about " << leaf::duration_text(report.estimated_seconds) << "\n"
            << "peak memory        " << leaf::bytes_text(report.peak_memory_bytes);
  if (validates) {
    std::cout << " (" << leaf::bytes_text(report.step_memory_bytes) << " without validation)";
  }
  std::cout << "\n";
  for (const std::string& warning : report.split_warnings) {
    leaf::log::warn(warning);
  }
  return leaf::apps::kExitSuccess;
}

int doctor(const leaf::Config& config, c10::Device device) {
  bool fine = true;
  for (const leaf::Finding& finding : leaf::examine(config, device)) {
    fine = fine && finding.fine();
    std::cout << (finding.fine() ? "ok    " : "do    ") << finding.subject << ": " << finding.state
              << (finding.fine() ? "" : str("\n      ", leaf::with_field_names(finding.advice)))
              << "\n";
  }
  return fine ? leaf::apps::kExitSuccess : leaf::apps::kExitSomeFailed;
}

/// `images` are those of a step, of all processes.
std::string step_text(const leaf::Scores& scores, std::int64_t images) {
  std::string text = str("loss ", fixed(scores.at("loss"), 4));
  if (const auto found = scores.find("loss_distillation"); found != scores.end()) {
    text += str(" distill ", fixed(found->second, 4));
  }
  const double rate = static_cast<double>(images) / scores.at("seconds_per_step");
  return str(text, "  ", fixed(rate, 1), " images/s  ",
             leaf::bytes_text(leaf::peak_memory_bytes()));
}

std::string validation_text(std::int64_t step, const leaf::Scores& scores) {
  std::string text = str("step ", step, ": validation");
  for (const auto& [name, value] : scores) {
    if (name != leaf::kScore) {
      text += str("  ", name, " ", value);
    }
  }
  return text;
}

/// What was learned does not depend on its picture.
void try_to_draw_curves(const std::filesystem::path& run) {
  try {
    leaf::report::write_learning_curves(run);
  } catch (const leaf::Error& failure) {
    leaf::log::warn(leaf::str("no learning curves: ", failure.what()));
  }
}

/// "dice 0.9050"; of an autoencoder, whose score is minus the error, "l1 0.0123".
std::string score_text(const leaf::Config& config, double score) {
  return config.task == leaf::Task::kAutoencoder
             ? "l1 " + fixed(-score, 4)
             : str(config.validation.best_metric, " ", fixed(score, 4));
}

int train(leaf::Trainer& trainer, const leaf::Config& config,
          const leaf::apps::TrainOptions& arguments, const leaf::ProcessPlace& place) {
  leaf::apps::handle_interrupts();
  std::optional<leaf::apps::Progress> progress;
  const std::int64_t images =
      config.train.train_batch_size * config.train.gradient_accumulation_steps * place.count;
  leaf::TrainerCallbacks callbacks;
  callbacks.on_start = [&](std::int64_t step) {
    progress.emplace(config.train.max_train_steps, "training",
                     leaf::apps::stderr_output(arguments.common.quiet), step);
  };
  callbacks.on_step = [&](std::int64_t step, const leaf::Scores& scores) {
    progress->update(step, step_text(scores, images));
  };
  callbacks.on_validation = [&](std::int64_t step, const leaf::Scores& scores) {
    progress->clear();
    leaf::log::info(validation_text(step, scores));
  };
  callbacks.stop_requested = leaf::apps::interrupted;
  const leaf::TrainingResult result = trainer.run(arguments.start, callbacks);
  progress->finish();
  if (place.rank > 0) {
    return result.interrupted ? leaf::apps::kExitInterrupted : leaf::apps::kExitSuccess;
  }
  const std::string folder = config.output.dir.string();
  try_to_draw_curves(config.output.dir);
  if (result.interrupted) {
    leaf::log::warn(
        str("interrupted after step ", result.steps, "; saved; ",
            arguments.start.resume ? "the same command goes on" : "go on with --resume"));
    return leaf::apps::kExitInterrupted;
  }
  if (result.best_step > 0) {
    std::cout << "best model: " << folder << "/best (step " << result.best_step << ", "
              << score_text(config, result.best_score) << ")\n";
  }
  std::cout << "last model: " << folder << "/last (step " << result.steps << ")\n";
  return leaf::apps::kExitSuccess;
}

/// --precision, where it is given, wins over the configuration.
void set_precision(leaf::config::Resolved& resolved, leaf::Precision precision) {
  resolved.config.train.mixed_precision = precision;
  resolved.origins["train.mixed_precision"] = "--precision";
}

void warn_of_slow_precision(const leaf::Config& config, c10::Device device) {
  if (device.is_cpu() && config.train.mixed_precision == leaf::Precision::kBFloat16) {
    leaf::log::warn(
        "train.mixed_precision bf16 is for GPUs, on a CPU it is slower than float32; set "
        "train.mixed_precision=no or --precision fp32");
  }
}

bool may_choose_gpu(const leaf::apps::CommonOptions& options) {
  return at::hasCUDA() && at::getNumGPUs() > 0 &&
         (options.device == "auto" || options.device == "cuda");
}

/// One GPU for each process on a machine; a launcher may let each see its own alone.
void choose_gpu(leaf::apps::CommonOptions& options, const leaf::ProcessPlace& place) {
  if (place.count > 1 && may_choose_gpu(options)) {
    options.device = str("cuda:", at::getNumGPUs() == 1 ? 0 : place.local_rank);
  }
}

void require_gpu_each(const leaf::apps::TrainOptions& arguments) {
  if (may_choose_gpu(arguments.common) &&
      arguments.processes > static_cast<int>(at::getNumGPUs())) {
    throw leaf::ConfigError(str("--nproc ", arguments.processes, " wants a GPU for each process; ",
                                "there are ", at::getNumGPUs(), " (or --device cpu)"));
  }
}

int run(leaf::apps::TrainOptions& arguments, bool precision_given, char** argv) {
  const leaf::ProcessPlace place = leaf::process_place();
  const bool trains = !arguments.dry_run && !arguments.doctor && !arguments.print_config;
  if (place.count > 1 && trains) {  // a launcher's signal may come before the training begins
    leaf::apps::handle_interrupts();
  }
  const bool launches = arguments.processes > 1 && place.count == 1;
  if (launches) {
    require_gpu_each(arguments);
  }
  choose_gpu(arguments.common, place);
  arguments.common.quiet = arguments.common.quiet || place.rank > 0;  // one of them speaks
  const leaf::apps::Runtime runtime = leaf::apps::apply(arguments.common);
  leaf::config::Resolved resolved = leaf::config::resolve(arguments.config, arguments.overrides);
  leaf::set_field_names(leaf::apps::field_names(resolved));
  if (precision_given) {
    set_precision(resolved, leaf::apps::training_precision(runtime));
  }
  if (place.rank == 0 && !launches) {
    for (const std::string& warning : resolved.warnings) {
      leaf::log::warn(warning);
    }
  }
  if (arguments.print_config) {
    std::cout << leaf::config::dump_with_origins(resolved);
    return leaf::apps::kExitSuccess;
  }
  if (arguments.doctor) {
    return doctor(resolved.config, runtime.device);
  }
  if (launches && !arguments.dry_run) {
    return leaf::apps::launch_processes(arguments.processes, argv, arguments.common.threads);
  }
  if (place.rank == 0) {
    warn_of_slow_precision(resolved.config, runtime.device);
  }
  try {
    const auto group = std::make_shared<leaf::ProcessGroup>(place, runtime.device);
    leaf::Trainer trainer(resolved.config, runtime.device, group);
    if (arguments.dry_run) {
      note_run_folder(resolved.config.output.dir);
      return dry_run(trainer);
    }
    return train(trainer, resolved.config, arguments, place);
  } catch (const leaf::ProcessLost& failure) {
    throw std::runtime_error(leaf::plain_message(failure));  // no wrong usage: exit code 1
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Trains a segmentation model, an autoencoder, or a light model of a trained one, from a "
      "configuration file.",
      "leaf_train"};
  leaf::apps::TrainOptions arguments;
  leaf::apps::add_train_options(app, arguments);
  return leaf::apps::run_app(app, argc, argv,
                             [&] { return run(arguments, app.count("--precision") > 0, argv); });
}
