#pragma once

#include <string>
#include <vector>

#include "leaf/config/config.h"

namespace leaf::config {

/// Keys that two configurations give different values, each as "seed: 1 before, now 2".
struct Differences {
  std::vector<std::string> harmless;  ///< those that a continued run may change
  std::vector<std::string> others;
};

Differences differences(Config before, Config now);

}  // namespace leaf::config
