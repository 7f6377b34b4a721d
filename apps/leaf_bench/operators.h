#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace leaf::apps {

/// What all calls of one operator took.
struct OperatorTime {
  std::string name;
  std::int64_t count = 0;
  double milliseconds = 0;
  double operations = 0;  ///< floating-point, if done directly; 0 where it does not say
};

struct OperatorTimes {
  std::vector<OperatorTime> operators;  ///< most time first
  double outside_milliseconds = 0;      ///< between the operators
  double total_milliseconds = 0;
};

/// Runs `work` and times the operators that it calls from this thread on the CPU, as LibTorch's
/// RecordFunction names them. An operator that another one calls belongs to its caller.
OperatorTimes time_operators(const std::function<void()>& work);

}  // namespace leaf::apps
