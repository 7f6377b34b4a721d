#pragma once

#include <ATen/record_function.h>

#include <array>
#include <cstdint>
#include <string>

namespace leaf::ops {

/// Names an operator of ours to LibTorch's profilers for as long as this lives; describe() returns
/// the name and is called only when somebody listens. The only argument recorded is the operator's
/// arithmetic if done directly, in floating-point operations.
class OperatorRecord {
 public:
  template <typename Describe>
  OperatorRecord(std::int64_t operations, const Describe& describe)
      : record_(at::RecordScope::USER_SCOPE) {
    if (record_.isActive()) {
      const std::array<c10::IValue, 1> arguments{c10::IValue(operations)};
      record_.before(std::string(describe()),
                     c10::ArrayRef<const c10::IValue>(arguments.data(), arguments.size()));
    }
  }

 private:
  at::RecordFunction record_;
};

}  // namespace leaf::ops
