#pragma once

namespace leaf::apps {

/// From now on the first SIGINT (Ctrl-C) or SIGTERM only makes interrupted() true, so that the
/// program can save and stop; the second ends it at once with exit code 130.
void handle_interrupts();

bool interrupted();

}  // namespace leaf::apps
