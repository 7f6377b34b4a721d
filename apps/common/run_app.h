#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace leaf::apps {

/// leaf's version, LibTorch's and CUDA's, one a line.
std::string version_text();

/// Parses the command line (adding --version), runs `body` and returns the exit code. Whatever goes
/// wrong is one line on stderr, "leaf_train: error: ..."; log::verbose() adds LibTorch's stack
/// trace. Exit code 2 for wrong usage, every leaf::Error and files out of reach, 1 for anything
/// unforeseen, else what `body` returns.
int run_app(CLI::App& app, int argc, const char* const* argv, const std::function<int()>& body);

}  // namespace leaf::apps
