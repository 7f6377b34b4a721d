#pragma once

#include <optional>
#include <string>
#include <vector>

#include "leaf/config/config.h"

namespace leaf::config {

/// Values that cannot go together.
struct Problem {
  /// The keys that it can be solved with.
  std::vector<std::string> keys;
  std::string message;
};

std::optional<Problem> find_problem(const Config& config);

/// What is allowed but hardly meant.
std::vector<std::string> find_oddities(const Config& config);

}  // namespace leaf::config
