#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <thread>
#include <vector>

#include "empty_masks.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/stopwatch.h"
#include "trainer_state.h"

namespace leaf {
namespace {

/// What the masks of some images hold, as they are trained on.
struct MaskContent {
  std::size_t with_foreground = 0;
  std::int64_t foreground = 0;  ///< pixels
  std::int64_t pixels = 0;

  void add(const MaskContent& other) {
    with_foreground += other.with_foreground;
    foreground += other.foreground;
    pixels += other.pixels;
  }
};

/// Decodes the pairs from `next` on, which several threads share.
MaskContent decode_rest(const data::Dataset& dataset, std::atomic<std::size_t>& next) {
  MaskContent content;
  for (std::size_t i = next++; i < dataset.size(); i = next++) {
    const at::Tensor mask = dataset.decoded(i).mask;
    const auto* begin = mask.const_data_ptr<std::uint8_t>();
    const std::int64_t foreground = std::count(begin, begin + mask.numel(), std::uint8_t{1});
    content.add({.with_foreground = foreground > 0 ? 1U : 0U,
                 .foreground = foreground,
                 .pixels = mask.numel()});
  }
  return content;
}

/// Decodes every pair once and tells what the masks hold; throws what it finds wrong with a pair.
MaskContent check_files(const data::Dataset& dataset) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<MaskContent>> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.push_back(std::async(std::launch::async, [&] { return decode_rest(dataset, next); }));
  }
  MaskContent all;
  for (std::future<MaskContent>& thread : threads) {
    all.add(thread.get());
  }
  return all;
}

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
  const MaskContent masks = check_files(state_->train);
  if (masks.foreground == 0) {
    throw DataError(empty_masks_text(state_->train.size(), state_->train));
  }
  check_files(state_->validation);
  check_files(data::Dataset(state_->split.test, config_.data));
  DryRunReport report;
  report.train_images = state_->split.train.size();
  report.validation_images = state_->split.validation.size();
  report.test_images = state_->split.test.size();
  report.with_foreground = share(masks.with_foreground, report.train_images);
  report.foreground = share(masks.foreground, masks.pixels);
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
