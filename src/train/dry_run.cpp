#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "empty_masks.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
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

MaskContent content_of(const at::Tensor& mask) {
  const auto* begin = mask.const_data_ptr<std::uint8_t>();
  const std::int64_t foreground = std::count(begin, begin + mask.numel(), std::uint8_t{1});
  return {.with_foreground = foreground > 0 ? 1U : 0U,
          .foreground = foreground,
          .pixels = mask.numel()};
}

/// What the pairs of a part hold, and what is wrong with those that cannot be used, by index.
struct Findings {
  MaskContent content;
  std::map<std::size_t, std::string> problems;

  void add(Findings&& other) {
    content.add(other.content);
    problems.merge(other.problems);
  }
};

/// Decodes the pairs from `next` on, which several threads share.
Findings decode_rest(const data::Dataset& dataset, std::atomic<std::size_t>& next) {
  Findings found;
  for (std::size_t i = next++; i < dataset.size(); i = next++) {
    try {
      found.content.add(content_of(dataset.decoded(i).mask));
    } catch (const DataError& error) {
      found.problems.emplace(i, error.what());
    }
  }
  return found;
}

/// Decodes every pair of a part once.
Findings check_files(const data::Dataset& dataset) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<Findings>> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.push_back(std::async(std::launch::async, [&] { return decode_rest(dataset, next); }));
  }
  Findings all;
  for (std::future<Findings>& thread : threads) {
    all.add(thread.get());
  }
  return all;
}

/// Throws DataError where pairs cannot be used; the first of several are listed before.
void refuse(const std::vector<std::string>& problems, std::size_t pairs) {
  constexpr std::size_t kListed = 20;
  if (problems.size() == 1) {
    throw DataError(problems.front());
  }
  for (std::size_t i = 0; i < std::min(problems.size(), kListed); ++i) {
    log::error(problems[i]);
  }
  if (!problems.empty()) {
    throw DataError(
        str(problems.size(), " of ", pairs, " pairs cannot be used, ",
            problems.size() > kListed ? str("the first ", kListed, " of them listed") : "listed",
            " above; replace or remove their files"));
  }
}

/// The test pairs that are not validation pairs too, as the published protocol has them.
std::vector<data::Pair> pairs_of_test_alone(const data::SplitPairs& split) {
  std::set<std::filesystem::path> validation;
  for (const data::Pair& pair : split.validation) {
    validation.insert(pair.image);
  }
  std::vector<data::Pair> pairs = split.test;
  std::erase_if(pairs, [&](const data::Pair& pair) { return validation.contains(pair.image); });
  return pairs;
}

/// Reads every pair of all parts; returns what the masks of the first part hold, which is trained
/// on. Whatever is wrong with pairs is said at once.
MaskContent check_parts(const std::vector<const data::Dataset*>& parts) {
  data::MaskCensus masks;
  MaskContent trained;
  std::vector<std::string> problems;
  std::size_t pairs = 0;
  for (const data::Dataset* part : parts) {
    const Findings found = check_files(*part);
    masks.add(part->masks());
    for (const auto& [index, problem] : found.problems) {
      problems.push_back(problem);
    }
    pairs += part->size();
    trained = part == parts.front() ? found.content : trained;
  }
  refuse(problems, pairs);
  parts.front()->masks().require_target();
  if (trained.foreground == 0) {
    throw DataError(empty_masks_text(parts.front()->size(), *parts.front()));
  }
  masks.log_lines(/*borders=*/true);
  return trained;
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
  state_->task->validate(first);
  return watch.seconds() / share(count, pairs.size());
}

DryRunReport Trainer::dry_run() {
  prepare();
  make_loader(0);
  const data::Dataset test(pairs_of_test_alone(state_->split), config_.data);
  const MaskContent masks = check_parts({&state_->train, &state_->validation, &test});
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
