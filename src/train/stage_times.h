#pragma once

#include <c10/core/Device.h>

#include <map>
#include <optional>
#include <string>

#include "leaf/core/stopwatch.h"

namespace leaf {

/// Where the time of training goes. Does nothing until it is started: on a GPU, every mark waits
/// for what it was given to do.
class StageTimes {
 public:
  void start(c10::Device device);
  /// The time since the last mark, or the start, was this stage's.
  void done(const std::string& stage);
  /// Of each stage, in all.
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  std::optional<c10::Device> device_;
  Stopwatch since_;
  std::map<std::string, double> seconds_;
};

}  // namespace leaf
