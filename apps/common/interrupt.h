#pragma once

#include <csignal>

namespace leaf::apps {

/// What a program sends to those that it started, for them to save and stop. It never insists: the
/// system's own SIGTERM may have reached them, too.
constexpr int kStopSignal = SIGUSR1;

/// From now on closed output (a pipe whose reader has ended, a closed terminal) is no reason to
/// end: what a program has to save it saves. run_app() does this for every program.
void outlive_closed_output();

/// From now on the first SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal) or kStopSignal only
/// makes interrupted() true, so that the program can save and stop; a further SIGINT or SIGTERM
/// ends it at once with exit code 130.
void handle_interrupts();

bool interrupted();

}  // namespace leaf::apps
