#include "common/run_app.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <vector>

#include "common/exit_code.h"
#include "common/field_names.h"
#include "common/interrupt.h"
#include "common/literal_arguments.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/field_names.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/lost_files.h"

namespace leaf::apps {
namespace {

int report(const CLI::App& app, std::string_view message, int exit_code) {
  std::cerr << app.get_name() << ": error: " << escaped(message) << std::endl;
  return exit_code;
}

/// Long names of all options ("--device") of the program and of the sub-commands that were given.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  for (const auto* command : app.get_subcommands()) {
    const auto more = option_names(*command);
    names.insert(names.end(), more.begin(), more.end());
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
  }
  return names;
}

/// About the first word that the parser had no use for.
std::string unknown_word_message(const CLI::App& app, const std::vector<std::string>& words) {
  const auto option = std::find_if(words.begin(), words.end(),
                                   [](const auto& word) { return word.starts_with("-"); });
  if (option != words.end()) {
    const std::string name = option->substr(0, option->find('='));
    return str("unknown option '", name, "'", did_you_mean(name, option_names(app)));
  }
  const auto commands = command_names(app);
  const bool expects_command = !commands.empty() && app.get_subcommands().empty();
  return expects_command
             ? str("unknown command '", words.front(), "'", did_you_mean(words.front(), commands))
             : str("unexpected argument '", words.front(), "'");
}

int report_usage(const CLI::App& app, const CLI::ParseError& failure) {
  const auto unused = app.remaining(true);
  const std::string what = unused.empty() ? failure.what() : unknown_word_message(app, unused);
  return report(app,
                as_typed(str(what.substr(0, what.find('\n')), "; see ", app.get_name(), " --help")),
                kExitUsage);
}

int report(const CLI::App& app, const std::exception& failure) {
  const bool ours = dynamic_cast<const Error*>(&failure) != nullptr ||
                    dynamic_cast<const std::filesystem::filesystem_error*>(&failure) != nullptr;
  const int exit_code = report(app, plain_message(failure), ours ? kExitUsage : kExitSomeFailed);
  if (log::verbose() && dynamic_cast<const c10::Error*>(&failure) != nullptr) {
    std::cerr << failure.what() << std::endl;
  }
  return exit_code;
}

int run_body(const CLI::App& app, const std::function<int()>& body) {
  outlive_closed_output();
  set_field_names(field_names());
  io::explain_lost_files(app.get_name(), kExitUsage);
  try {
    install_pooling_allocator();
    return body();
  } catch (const std::exception& failure) {
    return report(app, failure);
  }
}

}  // namespace

std::string version_text() {
  std::string cuda = "not in this build";
  if (at::Context::hasCUDART()) {
    const auto number = at::Context::versionCUDART();  // 13000 is 13.0
    cuda = str(number / 1000, ".", number % 1000 / 10);
  }
  return str("leaf ", version(), "\nLibTorch ", TORCH_VERSION, "\nCUDA: ", cuda);
}

int run_app(CLI::App& app, int argc, const char* const* argv, const std::function<int()>& body) {
  app.set_version_flag("--version", version_text, "Versions of leaf, LibTorch and CUDA");
  try {
    parse_literally(app, argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    app.exit(request);
    return kExitSuccess;
  } catch (const CLI::ParseError& failure) {
    return report_usage(app, failure);
  }
  return run_body(app, body);
}

}  // namespace leaf::apps
