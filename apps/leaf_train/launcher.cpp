#include "leaf_train/launcher.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "common/child_process.h"
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
constexpr seconds kTimeAfterStop{10};

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
  /// When the first one failed. One that was interrupted did not: process 0 may still be saving.
  const Clock::time_point* failed() const {
    return exit_code_ == kExitSuccess || exit_code_ == kExitInterrupted ? nullptr : &end_;
  }

 private:
  void note_end(std::size_t rank, int status) {
    if (WIFSIGNALED(status)) {
      log::error(str("process ", rank, " of ", children_.size(), " was ended by signal ",
                     WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")"));
    }
    const int code = exit_code_of(status);
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
  std::vector<std::string> arguments;
  for (char** word = argv; *word != nullptr; ++word) {
    arguments.emplace_back(*word);
  }
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
    job.add(start_program("/proc/self/exe", arguments, more, SIGKILL));
  }
  bool told = false;
  while (job.running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    job.look();
    if (interrupted() && !told) {
      job.send(kStopSignal);
      told = true;
    }
    if (const auto* failed = job.failed()) {
      const auto since = Clock::now() - *failed;
      if (since > kTimeToEnd + kTimeAfterStop) {
        job.send(SIGKILL);
      } else if (since > kTimeToEnd && !told) {
        job.send(kStopSignal);
        told = true;
      }
    }
  }
  return job.exit_code();
}

}  // namespace leaf::apps
