#include "process_watch.h"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kMeetingTime{300};
constexpr milliseconds kBeat{500};
/// Without a sign of life for so long a process counts as lost: at any time, and once an exchange
/// has failed.
constexpr seconds kSilence{20};
constexpr seconds kSilenceAfterFailure{5};
/// How long the program may take to end by itself once a process is lost.
constexpr seconds kTimeToEnd{15};
constexpr std::int64_t kFinished = std::int64_t{1} << 40;  // added to the beats at the end

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string beats_key(int rank) { return "beats/" + std::to_string(rank); }

}  // namespace

c10::intrusive_ptr<c10d::Store> connect_store(const ProcessPlace& place, bool keeper) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = keeper;
  options.waitWorkers = false;
  options.timeout = kMeetingTime;
  auto store = c10::make_intrusive<c10d::TCPStore>(place.address, options);
  return c10::make_intrusive<c10d::PrefixStore>("leaf/" + place.attempt, std::move(store));
}

ProcessWatch::ProcessWatch(const ProcessPlace& place)
    : place_(place),
      store_(connect_store(place, /*keeper=*/false)),
      patience_(kSilence),
      thread_([this] { run(); }) {}

ProcessWatch::~ProcessWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  leave();
}

std::string ProcessWatch::find_lost() {
  std::unique_lock lock(mutex_);
  patience_ = kSilenceAfterFailure;
  wake_.wait_for(lock, kSilence, [this] { return !lost_.empty(); });
  told_ = true;
  return lost_;
}

void ProcessWatch::report_failure(const std::string& message) {
  store_->set("failure",
              bytes_of(str("process ", place_.rank, " of ", place_.count, " ended: ", message)));
  store_->add("failures", 1);
}

void ProcessWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (lost_.empty()) {
      const seconds patience = patience_;
      lock.unlock();
      const std::string lost = look(patience);
      lock.lock();
      if (!lost.empty()) {
        lost_ = lost;
        since_ = Clock::now();
        wake_.notify_all();
      }
    } else if (waiting_ && !told_ && Clock::now() - since_ > kTimeToEnd) {
      end_program();
    }
    wake_.wait_for(lock, kBeat, [this] { return stopping_; });
  }
}

/// Who is lost now, if anybody is.
std::string ProcessWatch::look(seconds patience) {
  try {
    store_->add(beats_key(place_.rank), 1);
    if (store_->add("failures", 0) > 0) {
      const auto bytes = store_->get("failure");
      return {bytes.begin(), bytes.end()};
    }
    for (int rank = 0; rank < place_.count; ++rank) {
      if (rank != place_.rank && is_silent(rank, patience)) {
        return str("process ", rank, " of ", place_.count, " is lost");
      }
    }
  } catch (const std::exception&) {
    return str(place_.kept_by_launcher ? "the launcher" : str("process 0 of ", place_.count),
               " is lost");
  }
  return {};
}

bool ProcessWatch::is_silent(int rank, seconds patience) {
  const std::int64_t beats = store_->add(beats_key(rank), 0);
  Sign& sign = signs_[rank];
  if (beats != sign.beats) {
    sign = {.beats = beats, .time = Clock::now()};
  }
  return beats > 0 && beats < kFinished && Clock::now() - sign.time > patience;
}

/// The thread that computes waits for somebody who will never answer, which nothing ends.
void ProcessWatch::end_program() const {
  log::error(str(lost_, "; continue with RunStart::resume"));
  ::_exit(EXIT_FAILURE);
}

/// The keeper of the meeting place goes last.
void ProcessWatch::leave() noexcept {
  try {
    store_->add(beats_key(place_.rank), kFinished);
    const auto end = Clock::now() + kTimeToEnd;
    const bool keeper = place_.rank == 0 && !place_.kept_by_launcher;
    for (int rank = 1; keeper && lost_.empty() && rank < place_.count; ++rank) {
      while (store_->add(beats_key(rank), 0) < kFinished && Clock::now() < end) {
        std::this_thread::sleep_for(milliseconds(20));
      }
    }
  } catch (const std::exception&) {  // it has gone before
  }
}

}  // namespace leaf
