#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace leaf::apps {

struct CommonOptions;

/// A sub-command and what it does; returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

/// Each adds its sub-command, with its options, to `app`.
Command add_inspect(CLI::App& app);
Command add_random(CLI::App& app);
Command add_import(CLI::App& app);
Command add_export(CLI::App& app);
/// `common` outlives the command and is complete when it runs.
Command add_verify(CLI::App& app, const CommonOptions& common);

}  // namespace leaf::apps
