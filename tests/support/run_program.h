#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace leaf::test {

struct Outcome {
  int exit_code = -1;  ///< 128 + the signal for a program that was killed
  std::string out;
  std::string err;
};

/// One of the built programs, running; its output goes to files so that it never blocks.
class Program {
 public:
  /// `name` as in "leaf_infer", or an absolute path.
  Program(const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> words{std::filesystem::path(LEAF_BIN_DIR) / name};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (folder_ / "out").c_str(), kFlags,
                                     0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ / "err").c_str(), kFlags,
                                     0600);
    const int failure = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
      throw std::runtime_error("cannot start " + words.front() + ": build it first");
    }
  }

  /// Ends it where nobody has waited for its end, as after a failed ASSERT.
  ~Program() {
    if (pid_ != 0) {
      kill();
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }

  /// Sends SIGINT, as Ctrl-C does.
  void interrupt() const { ::kill(pid_, SIGINT); }

  /// Ends it at once, as a power cut does.
  void kill() const { ::kill(pid_, SIGKILL); }

  /// The memory that it holds, in bytes; 0 once it has ended.
  std::size_t resident_bytes() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) {
        return std::stoul(line.substr(6)) * 1024;
      }
    }
    return 0;
  }

  /// What it has written to stdout so far.
  std::string output() const { return text("out"); }

  /// Waits for its end; to be called once.
  Outcome wait() const {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text("out"),
            text("err")};
  }

 private:
  std::string text(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return content.str();
  }

  TemporaryFolder folder_;
  mutable pid_t pid_ = 0;  ///< 0 once its end was waited for
};

/// While it lives, programs that are started cannot write a file beyond `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  sighandler_t handler_;
  rlimit before_{};
};

/// Waits, a minute at most, until `path` exists.
inline bool wait_for(const std::filesystem::path& path) {
  for (int i = 0; i < 30000 && !std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return std::filesystem::exists(path);
}

inline Outcome run_program(const std::string& name, const std::vector<std::string>& arguments) {
  return Program(name, arguments).wait();
}

}  // namespace leaf::test
