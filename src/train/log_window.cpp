#include "log_window.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "trainer_state.h"

namespace leaf {

LogWindow::LogWindow(const Scores& sums, std::int64_t steps)
    : steps_(steps), earlier_steps_(steps) {
  for (const auto& [name, sum] : sums) {
    sums_[name] = at::scalar_tensor(sum, at::kDouble);
  }
}

void LogWindow::add(const std::map<std::string, at::Tensor>& scalars) {
  for (const auto& [name, value] : scalars) {
    at::Tensor& sum = sums_[name];
    sum = sum.defined() ? sum.to(value.device()) + value : value.clone();
  }
  ++steps_;
}

Scores LogWindow::sums() const {
  Scores sums;
  for (const auto& [name, sum] : sums_) {
    sums[name] = sum.item<double>();
  }
  return sums;
}

Scores LogWindow::means() const {
  Scores means = sums();
  for (auto& [name, value] : means) {
    value /= static_cast<double>(steps_);
  }
  const std::int64_t own = std::max<std::int64_t>(1, steps_ - earlier_steps_);
  means[kSecondsPerStep] = seconds_ / static_cast<double>(own);
  return means;
}

}  // namespace leaf
