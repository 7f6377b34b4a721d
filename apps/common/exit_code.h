#pragma once

namespace leaf::apps {

/// What every program returns to the shell.
enum ExitCode : int {
  kExitSuccess = 0,
  kExitSomeFailed = 1,
  kExitUsage = 2,
  kExitInterrupted = 130,
};

}  // namespace leaf::apps
