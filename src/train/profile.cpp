#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "trainer_state.h"

namespace leaf {

TrainingProfile Trainer::profile(std::int64_t steps) {
  if (group_->count() > 1) {
    throw ConfigError("a profile is one process: start it without a launcher");
  }
  prepare();
  make_loader();
  train_step(0, /*read=*/true);  // the first one allocates and chooses
  StageTimes& times = state_->task->stage_times();
  times.start(device_);
  const Stopwatch watch;
  for (std::int64_t step = 1; step <= steps; ++step) {
    train_step(step, /*read=*/true);
  }
  const double seconds = watch.seconds();
  TrainingProfile profile{
      .steps = steps,
      .images = steps * config_.train.train_batch_size * config_.train.gradient_accumulation_steps,
      .seconds = seconds,
      .stages = times.seconds(),
      .peak_memory_bytes = peak_memory_bytes()};
  double rest = seconds;
  for (const auto& [stage, time] : profile.stages) {
    rest -= time;
  }
  profile.stages["rest"] = rest;
  return profile;
}

}  // namespace leaf
