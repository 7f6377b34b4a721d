#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace leaf::apps {

/// A sub-command and what it does; returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

/// Each adds its sub-command, with its options, to `app`.
Command add_inspect(CLI::App& app);
Command add_random(CLI::App& app);

}  // namespace leaf::apps
