#include "common/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "common/exit_code.h"
#include "leaf/core/error.h"

namespace leaf::apps {
namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> g_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

/// A closing terminal may send SIGHUP twice, and a parent's signal may follow the system's.
bool insists(int number) { return number != SIGHUP && number != kStopSignal; }

void on_signal(int number) {
  if (g_interrupted.exchange(true)) {
    if (insists(number)) {
      ::_exit(kExitInterrupted);
    }
    return;
  }
  constexpr std::string_view kNotice = "\ninterrupted: ending in order (again to stop at once)\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNotice.data(), kNotice.size());
}

/// Leaves a SIGHUP that is ignored, as under nohup, alone.
void handle_hangup(void (*handler)(int)) {
  struct sigaction action {};
  ::sigaction(SIGHUP, nullptr, &action);
  if (action.sa_handler != SIG_IGN) {
    action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART | SA_NODEFER;
    ::sigaction(SIGHUP, &action, nullptr);
  }
}

}  // namespace

void outlive_closed_output() {
  std::signal(SIGPIPE, SIG_IGN);  // "| tee log" ends with the same Ctrl-C
  handle_hangup(+[](int /*number*/) {});
}

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // A second signal gets through while the first one's notice waits for a reader.
  action.sa_flags = SA_RESTART | SA_NODEFER;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(kStopSignal, &action, nullptr);
  handle_hangup(on_signal);
}

bool interrupted() { return g_interrupted; }

}  // namespace leaf::apps
