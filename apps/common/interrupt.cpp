#include "common/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "leaf/core/error.h"

namespace leaf::apps {
namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> g_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (g_interrupted.exchange(true)) {
    ::_exit(kExitInterrupted);
  }
  constexpr std::string_view kNotice = "\ninterrupted: saving (again to stop at once)\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNotice.data(), kNotice.size());
}

}  // namespace

void handle_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return g_interrupted; }

}  // namespace leaf::apps
