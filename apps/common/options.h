#pragma once

#include <c10/core/Device.h>

#include <string>

#include "leaf/core/device.h"

namespace CLI {
class App;
}

namespace leaf::apps {

/// The options that every program has.
struct CommonOptions {
  std::string device = "auto";
  std::string precision = "fp32";
  int threads = 0;
  bool quiet = false;
  bool verbose = false;
};

/// What they stand for.
struct Runtime {
  c10::Device device;
  Precision precision = Precision::kFloat32;
};

/// Adds --device, --precision, --threads, --quiet and --verbose; `options` must outlive the
/// parsing.
void add_common_options(CLI::App& app, CommonOptions& options);

/// Sets log level and threads; throws ConfigError for a device or precision that there is not.
Runtime apply(const CommonOptions& options);

/// The precision to train in; throws ConfigError for one that is for inference alone.
Precision training_precision(const Runtime& runtime);

}  // namespace leaf::apps
