#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/random.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf/data/mask_census.h"
#include "trainer_state.h"

namespace leaf {

/// Reading the scores waits for the device: without `read` those that were read last are returned.
/// A step whose loss or gradient is not finite changes no weights; their average goes on.
const Scores& Trainer::train_step(std::int64_t step, bool read) {
  const TrainSection& train = config_.train;
  if (state_->unread_steps++ == 0) {
    state_->unread_time = Stopwatch();
  }
  const double rate = learning_rate_at(train, step);
  state_->optimizer.zero_grad();
  StepScalars scalars = add_gradients();
  const bool divide = train.clip_in_update && train.max_grad_norm > 0;
  const at::Tensor norm = divide ? state_->optimizer.gradient_norm()
                                 : state_->optimizer.clip_gradients(train.max_grad_norm);
  scalars["grad_norm"] = norm.to(at::kDouble);
  const at::Tensor finite = at::isfinite(scalars["loss"]) & at::isfinite(norm);
  const at::Tensor skip = finite.logical_not().to(at::kFloat);
  state_->optimizer.step(rate, skip,
                         divide ? clip_divisor(norm, train.max_grad_norm) : at::Tensor());
  state_->task->after_update(step + 1);
  state_->task->stage_times().done("optimizer");
  state_->window.add(scalars, finite);
  state_->skipped = state_->skipped.defined() ? state_->skipped + skip : skip;
  state_->skipped_in_a_row =
      state_->skipped_in_a_row.defined() ? (state_->skipped_in_a_row + skip) * skip : skip;
  if (read || state_->scores.empty()) {
    read_scores(step, scalars);
  }
  state_->scores["learning_rate"] = rate;
  return state_->scores;
}

/// Sums up the gradients of this process's micro-batches, averaged over the processes; returns
/// their mean losses.
Trainer::StepScalars Trainer::add_gradients() {
  const std::int64_t accumulation = config_.train.gradient_accumulation_steps;
  StepScalars scalars;
  const auto add = [&](const std::string& name, const at::Tensor& value) {
    const at::Tensor part = value.detach().to(at::kDouble) / accumulation;
    at::Tensor& sum = scalars[name];
    sum = sum.defined() ? sum + part : part;
  };
  state_->batch_names.clear();
  for (std::int64_t micro = 0; micro < accumulation; ++micro) {
    const data::Batch batch = state_->loader->next();
    state_->task->stage_times().done("data");
    state_->batch_names.insert(state_->batch_names.end(), batch.names.begin(), batch.names.end());
    if (state_->empty_masks) {
      state_->empty_masks->look_at(batch);
      data::MaskCensus& masks = state_->train.masks();
      masks.log_lines(/*borders=*/false, /*first_only=*/!masks.complete());
    }
    seed_dropout(config_.seed, batch.step);
    if (micro + 1 == accumulation) {
      group_->average_next_gradients();
    }
    const TaskLoss loss =
        group_->waiting([&] { return state_->task->add_gradients(batch, accumulation); });
    add("loss", loss.total);
    for (const auto& [name, part] : loss.parts) {
      add(name, part);
    }
  }
  average_over_processes(scalars);
  return scalars;
}

void Trainer::average_over_processes(StepScalars& scalars) {
  if (group_->count() == 1) {
    return;
  }
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : scalars) {
    values.push_back(value);
  }
  const at::Tensor means = group_->mean(at::stack(values));
  std::int64_t i = 0;
  for (auto& [name, value] : scalars) {
    value = means[i++];
  }
}

/// Waits for the device. Such steps changed no weights, but after so many the next ones would fare
/// no better.
void Trainer::require_finite_steps(std::int64_t step) {
  constexpr double kMostInARow = 10;
  const double skipped = state_->skipped.item<double>();
  if (skipped > state_->told_skipped) {
    log::warn(str("the loss or a gradient is not finite: ", skipped, " of the steps up to ", step,
                  " changed no weights"));
    state_->told_skipped = skipped;
  }
  if (state_->skipped_in_a_row.item<double>() >= kMostInARow) {
    throw Error(str("the loss is not finite at step ", step, " and the ", kMostInARow - 1,
                    " before it; the images of that step were ", join(state_->batch_names, ", "),
                    "; lower TrainSection::learning_rate and continue with RunStart::resume"));
  }
}

void Trainer::read_scores(std::int64_t step, const StepScalars& scalars) {
  require_finite_steps(step + 1);
  state_->scores.clear();
  for (const auto& [name, value] : scalars) {
    state_->scores[name] = value.item<double>();
  }
  const double seconds = state_->unread_time.seconds();
  state_->window.add_seconds(seconds);
  state_->scores[kSecondsPerStep] = seconds / static_cast<double>(state_->unread_steps);
  if (state_->told_skipped > 0) {
    state_->scores["skipped_steps"] = state_->told_skipped;
  }
  state_->unread_steps = 0;
}

/// Process 0 logs the means of the steps since the last time.
void Trainer::write_log(std::int64_t step) {
  if (state_->log) {
    Scores means = state_->window.means();
    means["learning_rate"] = state_->scores.at("learning_rate");
    if (state_->told_skipped > 0) {
      means["skipped_steps"] = state_->told_skipped;
    }
    state_->log->write(step, "train", means);
  }
  state_->window = {};
}

std::int64_t Trainer::skipped_steps() const {
  return state_->skipped.defined() ? std::llround(state_->skipped.item<double>()) : 0;
}

/// Weights after a step that was not finite are not saved: they may be those that made it so. Where
/// the `last` of many is the first such step there is no better time, and they were good before.
/// Throws Error for a last step after others that were not finite: the run ends here.
bool Trainer::may_save(std::int64_t step, bool last) const {
  const at::Tensor& in_a_row = state_->skipped_in_a_row;
  const double skipped = in_a_row.defined() ? in_a_row.item<double>() : 0;
  const bool others_were_finite = skipped <= 1 && step > 1;
  if (last && skipped > 0 && !others_were_finite) {
    throw Error(str("the loss is not finite at step ", step,
                    ", which is not saved; lower TrainSection::learning_rate and continue with "
                    "RunStart::resume"));
  }
  return skipped == 0 || last;
}

}  // namespace leaf
