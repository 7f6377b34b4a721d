#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

constexpr double kClipEpsilon = 1e-6;  // PyTorch's, of the norm

}  // namespace

AdamW::AdamW(const NamedParameters& parameters, const AdamWOptions& options) : options_(options) {
  for (const auto& [name, parameter] : parameters) {
    slots_.push_back({.name = name,
                      .parameter = parameter,
                      .exp_avg = at::zeros_like(parameter),
                      .exp_avg_sq = at::zeros_like(parameter),
                      .updates = at::zeros({}, parameter.options().dtype(at::kFloat))});
  }
}

void AdamW::step(double learning_rate, const at::Tensor& skip, const at::Tensor& divisor) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters, gradients, exp_avgs, exp_avg_sqs, updates;
  for (const Slot& slot : slots_) {
    if (!slot.parameter.grad().defined()) {
      continue;
    }
    parameters.push_back(slot.parameter);
    gradients.push_back(slot.parameter.grad());
    exp_avgs.push_back(slot.exp_avg);
    exp_avg_sqs.push_back(slot.exp_avg_sq);
    updates.push_back(slot.updates);
  }
  if (parameters.empty()) {
    return;  // LibTorch's operators refuse empty lists
  }
  const auto given = [](const at::Tensor& scalar) {
    return scalar.defined() ? std::optional(scalar) : std::nullopt;
  };
  at::_foreach_add_(updates, skip.defined() ? 1 - skip : at::ones({}, updates[0].options()));
  at::_fused_adamw_(parameters, gradients, exp_avgs, exp_avg_sqs, /*max_exp_avg_sqs=*/{}, updates,
                    learning_rate, options_.beta1, options_.beta2, options_.weight_decay,
                    options_.epsilon, /*amsgrad=*/false, /*maximize=*/false,
                    /*grad_scale=*/given(divisor), /*found_inf=*/given(skip));
}

void AdamW::zero_grad() {
  for (const Slot& slot : slots_) {
    slot.parameter.mutable_grad().reset();
  }
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> all;
  for (const Slot& slot : slots_) {
    if (slot.parameter.grad().defined()) {
      all.push_back(slot.parameter.grad());
    }
  }
  return all;
}

at::Tensor AdamW::gradient_norm() const {
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> all = gradients();
  return all.empty() ? at::zeros({}) : at::stack(at::_foreach_norm(all, 2)).norm();
}

at::Tensor AdamW::clip_gradients(double max_norm) {
  const at::NoGradGuard no_grad;
  const at::Tensor norm = gradient_norm();
  std::vector<at::Tensor> all = gradients();
  if (max_norm == 0 || all.empty()) {
    return norm;
  }
  const at::Tensor factor = (max_norm / (norm.to(at::kDouble) + kClipEpsilon)).clamp_max(1.0);
  // Only a GPU would have to be waited for; on the CPU a pass over all gradients is spared.
  if (factor.is_cpu() && factor.item<double>() == 1.0) {
    return norm;
  }
  at::_foreach_mul_(all, factor.to(norm.scalar_type()));
  return norm;
}

io::TensorMap AdamW::state() const {
  io::TensorMap state;
  for (const Slot& slot : slots_) {
    state[slot.name + ".exp_avg"] = slot.exp_avg;
    state[slot.name + ".exp_avg_sq"] = slot.exp_avg_sq;
    state[slot.name + ".updates"] = slot.updates;
  }
  return state;
}

void AdamW::load_state(const io::TensorMap& state) {
  const auto restore = [&](const std::string& name, const at::Tensor& target) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != target.sizes()) {
      throw WeightsError(leaf::str("the optimizer state has no '", name, "' of shape ",
                                   target.sizes(),
                                   "; the checkpoint belongs to another configuration"));
    }
    if (!found->second.is_floating_point() || !at::isfinite(found->second).all().item<bool>()) {
      throw WeightsError(leaf::str("the optimizer state's '", name, "' is not made of numbers"));
    }
    target.copy_(found->second);
  };
  for (const Slot& slot : slots_) {
    restore(slot.name + ".exp_avg", slot.exp_avg);
    restore(slot.name + ".exp_avg_sq", slot.exp_avg_sq);
    restore(slot.name + ".updates", slot.updates);
  }
}

at::Tensor clip_divisor(const at::Tensor& norm, double max_norm) {
  return ((norm.to(at::kDouble) + kClipEpsilon) / max_norm).clamp_min(1.0).to(at::kFloat);
}

double learning_rate_at(const TrainSection& train, std::int64_t step) {
  const auto part_of = [](std::int64_t steps, std::int64_t all) {
    return static_cast<double>(steps) / static_cast<double>(all);
  };
  const std::int64_t warmup = train.num_warmup_steps;
  if (step < warmup) {
    return train.learning_rate * part_of(step, warmup);
  }
  const double done = std::min(
      1.0, part_of(step - warmup, std::max<std::int64_t>(1, train.max_train_steps - warmup)));
  switch (train.lr_scheduler) {
    case LrScheduler::kConstant:
      break;
    case LrScheduler::kLinear:
      return train.learning_rate * (1 - done);
    case LrScheduler::kCosine:
      return train.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  return train.learning_rate;
}

double ema_decay(double max_decay, std::int64_t update) {
  const auto k = static_cast<double>(update - 1);
  return k <= 0 ? 0.0 : std::min(max_decay, (1 + k) / (10 + k));
}

void update_average(const std::vector<at::Tensor>& average, const std::vector<at::Tensor>& values,
                    double decay) {
  const at::NoGradGuard no_grad;
  at::_foreach_lerp_(average, values, 1 - decay);
}

}  // namespace leaf
