#pragma once

namespace leaf::apps {

/// From now on the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (a closed terminal) only makes
/// interrupted() true, so that the program can save and stop; a further SIGINT or SIGTERM ends it
/// at once with exit code 130. Closed output is no reason to end.
void handle_interrupts();

bool interrupted();

}  // namespace leaf::apps
