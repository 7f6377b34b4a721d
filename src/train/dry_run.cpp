#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check_pairs.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/stopwatch.h"
#include "trainer_state.h"

namespace leaf {
namespace {

template <typename Count>
double share(Count part, Count whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

/// Scores the first batch; returns the seconds that the whole validation part would take.
/// Validation may need more memory than a step, and most of a run's time.
double Trainer::time_validation() {
  const std::vector<data::Pair>& pairs = state_->split.validation;
  const auto count =
      std::min(pairs.size(), static_cast<std::size_t>(config_.validation.batch_size));
  if (count == 0) {
    return 0;
  }
  const data::Dataset first(std::vector<data::Pair>(pairs.begin(), pairs.begin() + count),
                            config_.data);
  release_unused_memory();  // as a run does before it validates
  const Stopwatch watch;
  state_->task->validate(first, {});
  return watch.seconds() / share(count, pairs.size());
}

DryRunReport Trainer::dry_run() {
  if (group_->count() > 1) {
    throw ConfigError("a dry run is one process: start it without a launcher");
  }
  prepare();
  make_loader();
  const PairFindings pairs = check_pairs(state_->train, state_->validation, state_->split);
  DryRunReport report;
  report.split_warnings = pairs.split_warnings;
  report.train_images = state_->split.train.size();
  report.validation_images = state_->split.validation.size();
  report.test_images = state_->split.test.size();
  report.with_foreground = share(pairs.with_foreground, report.train_images);
  report.foreground = share(pairs.foreground, pairs.pixels);
  report.trained_parameters = state_->trained_parameters();
  report.scores = train_step(0, /*read=*/true);
  report.seconds_per_step = report.scores.extract(kSecondsPerStep).mapped();
  report.step_memory_bytes = peak_memory_bytes();
  report.seconds_per_validation = time_validation();
  for (std::int64_t step = 1; step <= config_.train.max_train_steps; ++step) {
    report.estimated_seconds +=
        report.seconds_per_step +
        (validation_is_due(config_, step) ? report.seconds_per_validation : 0);
  }
  report.peak_memory_bytes = peak_memory_bytes();
  return report;
}

}  // namespace leaf
