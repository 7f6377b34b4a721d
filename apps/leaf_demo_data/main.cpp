// Writes phantoms for scripts/demo.sh: a data set of layout `folder` that needs no download.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>

#include "common/exit_code.h"
#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf_demo_data/phantom.h"

namespace {

struct Options {
  std::filesystem::path output;
  std::int64_t count = 100;
  std::int64_t size = 96;
  std::uint64_t seed = 1;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--output", options.output, "Folder to write; it must not exist")->required();
  app.add_option("--count", options.count, "Number of image and mask pairs")
      ->check(CLI::Range(1, 9999))
      ->capture_default_str();
  app.add_option("--size", options.size, "Side of an image in pixels")
      ->check(CLI::Range(16, 4096))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Another seed, other pictures")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

int write(const Options& options) {
  if (std::filesystem::exists(options.output)) {
    throw leaf::ConfigError(leaf::str(options.output.string(), " exists; name a new folder"));
  }
  leaf::replace_folder(options.output, [&](const std::filesystem::path& temporary) {
    leaf::apps::write_phantoms(temporary, options.count, options.size, options.seed);
  });
  leaf::log::info(leaf::str(options.count, " pairs in ", options.output.string()));
  return leaf::apps::kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Writes artificial pictures with lesions and their masks", "leaf_demo_data");
  add_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] { return write(options); });
}
