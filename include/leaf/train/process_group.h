#pragma once

#include <ATen/core/TensorBody.h>
#include <c10/core/Device.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "leaf/core/error.h"

namespace leaf {

/// Which of several processes that train together this one is, and where they meet.
struct ProcessPlace {
  int rank = 0;
  int count = 1;
  int local_rank = 0;   ///< among those on this machine
  int local_count = 1;  ///< of those on this machine
  std::string address = "127.0.0.1";
  int port = 0;
  /// The launcher keeps the meeting place; otherwise process 0 does.
  bool kept_by_launcher = false;
  /// What tells one attempt at a job from the one before at the same meeting place.
  std::string attempt;
  /// Lets a process alone exchange with itself as several would: to try what they exchange by.
  bool alone_too = false;
};

/// The place that torchrun (RANK, WORLD_SIZE, MASTER_ADDR, ...), srun (SLURM_PROCID, ...) or Open
/// MPI's mpirun (OMPI_COMM_WORLD_RANK, ...) states in the environment; that of a single process
/// where none does. Throws ConfigError for values that cannot be, and where the machine to meet on
/// is not told.
ProcessPlace process_place();

/// Another process of the job ended or does not answer.
class ProcessLost : public Error {
 public:
  using Error::Error;
};

/// Where processes of one job meet, kept by a launcher that starts them on this machine.
class MeetingPlace {
 public:
  MeetingPlace();
  ~MeetingPlace();
  MeetingPlace(const MeetingPlace&) = delete;
  MeetingPlace& operator=(const MeetingPlace&) = delete;

  int port() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The processes that train together, over LibTorch's c10d: Gloo, and NCCL for tensors on a GPU.
/// All of them call the same functions in the same order. One process alone is a group too, for
/// which every function returns at once.
///
/// Functions that wait for others throw ProcessLost, which names the process, within half a minute
/// of its end. A wait that cannot be called off then ends this program with that message.
class ProcessGroup {
 public:
  ProcessGroup();
  /// Waits until all are there. Throws Error when they are not within five minutes.
  ProcessGroup(const ProcessPlace& place, c10::Device device);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return place_.rank; }
  int count() const { return place_.count; }
  bool first() const { return place_.rank == 0; }

  /// What each process says, by rank.
  std::vector<std::string> gather(const std::string& mine);
  /// Waits until all have come here.
  void wait_for_all() { gather({}); }
  /// Whether any process says so.
  bool any(bool mine);
  /// The mean of a tensor over all processes, which have it in the same shape; the same bits for
  /// each.
  at::Tensor mean(const at::Tensor& mine);

  /// From now on the gradients of these parameters can be averaged over the processes.
  void share_gradients(const std::vector<at::Tensor>& parameters);
  /// The next backward pass ends with gradients (what had been added up before included) that are
  /// the mean over the processes; parts of them travel while others are computed. The pass must
  /// reach every shared parameter that requires a gradient now, the same ones in all processes.
  void average_next_gradients();

  /// Runs what calls none of the functions here, but waits for other processes: a backward pass
  /// that averages.
  template <typename Action>
  auto waiting(const Action& action) {
    if (!state_) {
      return action();
    }
    const WaitMark mark(*this);
    try {
      return action();
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
      throw_if_lost();
      throw;
    }
  }

  /// Tells the others why this process will end.
  void report_failure(const std::string& message) noexcept;

 private:
  struct State;
  /// Shows the watch that this thread may wait for others.
  class WaitMark {
   public:
    explicit WaitMark(ProcessGroup& group) : group_(group) { group_.set_waiting(true); }
    ~WaitMark() { group_.set_waiting(false); }
    WaitMark(const WaitMark&) = delete;
    WaitMark& operator=(const WaitMark&) = delete;

   private:
    ProcessGroup& group_;
  };

  void set_waiting(bool waiting);
  void throw_if_lost();

  ProcessPlace place_;
  std::unique_ptr<State> state_;  ///< null for a process alone
};

}  // namespace leaf
