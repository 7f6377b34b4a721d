#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "leaf/train/process_group.h"

namespace leaf {

/// The meeting place of a job, which the `keeper` among its processes makes.
c10::intrusive_ptr<c10d::Store> connect_store(const ProcessPlace& place, bool keeper);

/// Shows the others that this process lives, and looks for their signs of life, on a thread of its
/// own.
class ProcessWatch {
 public:
  explicit ProcessWatch(const ProcessPlace& place);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  /// After an exchange has failed: who is lost, once that shows; empty where nobody is.
  std::string find_lost();
  /// Whether the computing thread may be waiting for others: where it waits for a lost one for
  /// ever, the program is ended.
  void set_waiting(bool waiting) { waiting_ = waiting; }
  /// Why this process will end.
  void report_failure(const std::string& message);

 private:
  using Clock = std::chrono::steady_clock;
  struct Sign {
    std::int64_t beats = 0;
    Clock::time_point time = Clock::now();
  };

  void run();
  std::string look(std::chrono::seconds patience);
  bool is_silent(int rank, std::chrono::seconds patience);
  [[noreturn]] void end_program() const;
  void leave() noexcept;

  ProcessPlace place_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::map<int, Sign> signs_;  ///< of the thread alone
  std::mutex mutex_;           ///< of what follows
  std::condition_variable wake_;
  bool stopping_ = false;
  bool told_ = false;  ///< the computing thread knows
  std::atomic<bool> waiting_ = false;
  std::chrono::seconds patience_;
  Clock::time_point since_;  ///< when somebody was found lost
  std::string lost_;
  std::thread thread_;
};

}  // namespace leaf
