#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <map>
#include <string>

#include "train/task.h"

namespace leaf {

/// The scalars of the steps since the losses were logged last. They stay on the device, so that
/// adding a step waits for nothing.
class LogWindow {
 public:
  LogWindow() = default;
  /// Goes on where sums() and steps() of an earlier window were taken.
  LogWindow(const Scores& sums, std::int64_t steps);

  /// Adds a step's scalars (float64).
  void add(const std::map<std::string, at::Tensor>& scalars);
  void add_seconds(double seconds) { seconds_ += seconds; }

  std::int64_t steps() const { return steps_; }
  /// Waits for the device, as means() does.
  Scores sums() const;
  /// The means over the steps, and the seconds per step of those of this process.
  Scores means() const;

 private:
  std::map<std::string, at::Tensor> sums_;
  std::int64_t steps_ = 0;
  std::int64_t earlier_steps_ = 0;
  double seconds_ = 0;
};

}  // namespace leaf
