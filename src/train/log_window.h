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

  /// Adds a step's scalars (float64) where `finite` (bool, one element) holds: a step that was
  /// skipped says nothing of how training goes.
  void add(const std::map<std::string, at::Tensor>& scalars, const at::Tensor& finite);
  void add_seconds(double seconds) { seconds_ += seconds; }

  /// How many steps were added. Waits for the device, as do sums() and means().
  std::int64_t steps() const;
  Scores sums() const;
  /// The means over these steps, none where there is no step, and the seconds per step of those of
  /// this process, skipped ones included.
  Scores means() const;

 private:
  std::map<std::string, at::Tensor> sums_;
  at::Tensor steps_;            ///< int64; undefined: 0
  std::int64_t own_steps_ = 0;  ///< of this process, skipped ones included
  double seconds_ = 0;
};

}  // namespace leaf
