#pragma once

namespace leaf::apps {

/// Starts `count` processes of this program on this machine, with the same arguments and places in
/// the environment, and waits for them. Signals to end go on to them; none outlives this program.
/// Returns the exit code: that of the first process that failed.
int launch_processes(int count, char** argv, int threads);

}  // namespace leaf::apps
