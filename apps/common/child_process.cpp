#include "common/child_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "common/exit_code.h"
#include "common/interrupt.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

/// For execve, ended by a null; the words must outlive it.
std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) {
    all.push_back(word.data());
  }
  all.push_back(nullptr);
  return all;
}

}  // namespace

pid_t start_program(const std::filesystem::path& program, std::vector<std::string> arguments,
                    std::vector<std::string> variables, int signal) {
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    variables.emplace_back(*entry);
  }
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);
  const std::string failure = str("error: cannot start '", program.string(), "'\n");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, signal);
    if (::getppid() == parent) {
      ::execve(program.c_str(), argv.data(), envp.data());
      static_cast<void>(::write(STDERR_FILENO, failure.data(), failure.size()) + 1);
    }
    ::_exit(kExitSomeFailed);
  }
  if (child < 0) {
    throw Error(str("cannot start a process: ", std::strerror(errno)));
  }
  return child;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : kExitSomeFailed; }

int run_program(const std::filesystem::path& program, std::vector<std::string> arguments) {
  const pid_t child = start_program(program, std::move(arguments), {}, SIGTERM);
  bool told = false;
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(child, &status, WNOHANG)) != child;) {
    if (ended < 0 && errno != EINTR) {
      throw Error(str("cannot wait for ", program.string(), ": ", std::strerror(errno)));
    }
    if (interrupted() && !told) {
      ::kill(child, kStopSignal);
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return exit_code_of(status);
}

}  // namespace leaf::apps
