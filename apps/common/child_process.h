#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace leaf::apps {

/// Starts a program with this one's environment and `variables` (NAME=VALUE), which win. It gets a
/// group of its own, so that a Ctrl-C reaches it once: through us; and `signal` when this program
/// ends. arguments[0] is its name. Throws Error when there is no process to be had.
pid_t start_program(const std::filesystem::path& program, std::vector<std::string> arguments,
                    std::vector<std::string> variables, int signal);

/// The exit code of a status of waitpid(); 1 for a program that was ended by a signal.
int exit_code_of(int status);

/// Runs a program to its end and returns its exit code. Where this program is interrupted (see
/// interrupt.h), it is asked to end once, and waited for.
int run_program(const std::filesystem::path& program, std::vector<std::string> arguments);

}  // namespace leaf::apps
