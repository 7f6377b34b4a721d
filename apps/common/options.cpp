#include "common/options.h"

#include <CLI/CLI.hpp>

#include "leaf/core/error.h"
#include "leaf/core/log.h"

namespace leaf::apps {

void add_common_options(CLI::App& app, CommonOptions& options) {
  const std::string group = "Common options";
  app.add_option("--device", options.device, "auto (a GPU if there is one), cpu, cuda or cuda:N")
      ->capture_default_str()
      ->group(group);
  app.add_option("--precision", options.precision, "Arithmetic of the networks: fp32, bf16 or fp16")
      ->capture_default_str()
      ->group(group);
  app.add_option("--threads", options.threads, "CPU threads; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str()
      ->group(group);
  auto* quiet =
      app.add_flag("--quiet", options.quiet, "Only warnings and errors, no progress [off]")
          ->group(group);
  app.add_flag("--verbose", options.verbose, "More messages, and a stack trace with an error [off]")
      ->group(group)
      ->excludes(quiet);
}

Runtime apply(const CommonOptions& options) {
  if (options.quiet) {
    log::set_level(log::Level::kQuiet);
  } else {
    log::set_level(options.verbose ? log::Level::kVerbose : log::Level::kNormal);
  }
  set_threads(options.threads, "--threads");
  const c10::Device device = parse_device(options.device, "--device");
  set_up_gpu(device);
  return {device, parse_enum<Precision>(options.precision, "--precision")};
}

Precision training_precision(const Runtime& runtime) {
  if (runtime.precision == Precision::kFloat16) {
    throw ConfigError("--precision fp16 is for inference; training takes fp32 or bf16");
  }
  return runtime.precision;
}

}  // namespace leaf::apps
