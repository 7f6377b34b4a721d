#include "log_window.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "trainer_state.h"

namespace leaf {
namespace {

void add_to(at::Tensor& sum, const at::Tensor& value) {
  sum = sum.defined() ? sum.to(value.device()) + value : value.clone();
}

}  // namespace

LogWindow::LogWindow(const Scores& sums, std::int64_t steps)
    : steps_(at::scalar_tensor(steps, at::kLong)) {
  for (const auto& [name, sum] : sums) {
    sums_[name] = at::scalar_tensor(sum, at::kDouble);
  }
}

void LogWindow::add(const std::map<std::string, at::Tensor>& scalars, const at::Tensor& finite) {
  for (const auto& [name, value] : scalars) {
    add_to(sums_[name], at::where(finite, value, 0));
  }
  add_to(steps_, finite.to(at::kLong));
  ++own_steps_;
}

std::int64_t LogWindow::steps() const { return steps_.defined() ? steps_.item<std::int64_t>() : 0; }

Scores LogWindow::sums() const {
  Scores sums;
  for (const auto& [name, sum] : sums_) {
    sums[name] = sum.item<double>();
  }
  return sums;
}

Scores LogWindow::means() const {
  Scores means;
  if (const std::int64_t count = steps(); count > 0) {
    means = sums();
    for (auto& [name, value] : means) {
      value /= static_cast<double>(count);
    }
  }
  const std::int64_t own = std::max<std::int64_t>(1, own_steps_);
  means[kSecondsPerStep] = seconds_ / static_cast<double>(own);
  return means;
}

}  // namespace leaf
