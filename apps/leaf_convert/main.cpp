#include <CLI/CLI.hpp>
#include <vector>

#include "common/exit_code.h"
#include "common/options.h"
#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf_convert/commands.h"

namespace leaf::apps {
namespace {

int run(const std::vector<Command>& commands, const CommonOptions& common) {
  apply(common);
  for (const Command& command : commands) {
    if (command.app->parsed()) {
      return command.run();
    }
  }
  return kExitUsage;
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  using namespace leaf::apps;
  CLI::App app{"Foreign weights in, ours out, and whether they are the same network.",
               "leaf_convert"};
  CommonOptions common;
  add_common_options(app, common);
  app.require_subcommand(1);
  app.fallthrough();  // the common options may stand behind the sub-command
  const std::vector<Command> commands{add_inspect(app), add_import(app), add_export(app),
                                      add_verify(app, common), add_random(app)};
  return run_app(app, argc, argv, [&] { return run(commands, common); });
}
