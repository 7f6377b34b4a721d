#include "leaf_train/launcher.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "common/exit_code.h"
#include "common/interrupt.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/train/process_group.h"

namespace leaf::apps {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

/// What the others may take to notice that one is gone and to save.
constexpr seconds kTimeToEnd{45};
constexpr seconds kTimeAfterTerm{10};

/// This program's environment with more in it.
std::vector<std::string> environment(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    all.emplace_back(*entry);
  }
  return all;
}

/// Its own group, so that a Ctrl-C reaches it once: through us.
pid_t start(char** argv, const std::vector<std::string>& variables) {
  std::vector<std::string> words = variables;
  std::vector<char*> envp;
  for (std::string& word : words) {
    envp.push_back(word.data());
  }
  envp.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) {
      ::execve("/proc/self/exe", argv, envp.data());
    }
    ::_exit(kExitSomeFailed);
  }
  if (child < 0) {
    throw Error(str("cannot start a process: ", std::strerror(errno)));
  }
  return child;
}

/// The processes and how they ended.
class Job {
 public:
  void add(pid_t child) { children_.push_back(child); }

  bool running() const {
    return std::any_of(children_.begin(), children_.end(), [](pid_t child) { return child > 0; });
  }

  /// Takes note of those that have ended since.
  void look() {
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      int status = 0;
      if (children_[rank] > 0 && ::waitpid(children_[rank], &status, WNOHANG) > 0) {
        children_[rank] = 0;
        note_end(rank, status);
      }
    }
  }

  void send(int signal) const {
    for (const pid_t child : children_) {
      if (child > 0) {
        ::kill(child, signal);
      }
    }
  }

  int exit_code() const { return exit_code_; }
  /// When the first one failed.
  const Clock::time_point* failed() const { return exit_code_ == kExitSuccess ? nullptr : &end_; }

 private:
  void note_end(std::size_t rank, int status) {
    if (WIFSIGNALED(status)) {
      log::error(str("process ", rank, " of ", children_.size(), " was ended by signal ",
                     WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")"));
    }
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kExitSomeFailed;
    if (code != kExitSuccess && exit_code_ == kExitSuccess) {
      exit_code_ = code;
      end_ = Clock::now();
    }
  }

  std::vector<pid_t> children_;  // by rank; 0 once ended
  int exit_code_ = kExitSuccess;
  Clock::time_point end_;
};

}  // namespace

int launch_processes(int count, char** argv, int threads) {
  handle_interrupts();
  const MeetingPlace place;
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  Job job;
  for (int rank = 0; rank < count; ++rank) {
    std::vector<std::string> more{str("RANK=", rank),
                                  str("LOCAL_RANK=", rank),
                                  str("WORLD_SIZE=", count),
                                  str("LOCAL_WORLD_SIZE=", count),
                                  "MASTER_ADDR=127.0.0.1",
                                  str("MASTER_PORT=", place.port()),
                                  "TORCHELASTIC_USE_AGENT_STORE=True"};
    if (threads == 0 && std::getenv("OMP_NUM_THREADS") == nullptr) {
      more.push_back(str("OMP_NUM_THREADS=", std::max(1, cores / count)));
    }
    job.add(start(argv, environment(more)));
  }
  bool told = false;
  while (job.running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    job.look();
    if (interrupted() && !told) {
      job.send(SIGTERM);
      told = true;
    }
    if (const auto* failed = job.failed()) {
      const auto since = Clock::now() - *failed;
      if (since > kTimeToEnd + kTimeAfterTerm) {
        job.send(SIGKILL);
      } else if (since > kTimeToEnd && !told) {
        job.send(SIGTERM);
        told = true;
      }
    }
  }
  return job.exit_code();
}

}  // namespace leaf::apps
