#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "empty_masks.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "core/prefetcher.h"
#include "leaf/core/stopwatch.h"
#include "data/perceptual_hash.h"
#include "split_leaks.h"
#include "trainer_state.h"

namespace leaf {
namespace {

/// What the masks of some images hold, as they are trained on.
struct MaskContent {
  std::size_t with_foreground = 0;
  std::int64_t foreground = 0;  ///< pixels
  std::int64_t pixels = 0;
  std::map<std::size_t, data::PictureHash> hashes;  ///< of the images, by their index

  void add(const MaskContent& other) {
    with_foreground += other.with_foreground;
    foreground += other.foreground;
    pixels += other.pixels;
    hashes.insert(other.hashes.begin(), other.hashes.end());
  }
};

MaskContent mask_content(std::size_t index, const data::DecodedSample& sample) {
  const auto* begin = sample.mask.const_data_ptr<std::uint8_t>();
  const std::int64_t foreground = std::count(begin, begin + sample.mask.numel(), std::uint8_t{1});
  return {.with_foreground = foreground > 0 ? 1U : 0U,
          .foreground = foreground,
          .pixels = sample.mask.numel(),
          .hashes = {{index, data::perceptual_hash(sample.image)}}};
}

/// Decodes every pair once and tells what the masks hold; throws what it finds wrong with a pair.
MaskContent check_files(const data::Dataset& dataset) {
  Workers workers;
  Prefetcher<MaskContent> contents(
      workers, {.first = 0, .end = dataset.size()}, 2 * workers.count(),
      [&](std::size_t i) { return mask_content(i, dataset.decoded(i)); });
  MaskContent all;
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    all.add(contents.next());
  }
  return all;
}

void append(std::vector<DividedImage>& images, const data::Dataset& dataset, data::Split part,
            const MaskContent& content) {
  for (const auto& [index, hash] : content.hashes) {
    images.push_back({dataset.pairs()[index], part, hash});
  }
}

std::vector<std::string> find_leaks(const std::vector<DividedImage>& images,
                                    data::SplitStrategy strategy) {
  std::vector<std::string> warnings;
  for (const std::string& text :
       {near_duplicates_text(images),
        strategy == data::SplitStrategy::kGroups ? "" : divided_groups_text(images)}) {
    if (!text.empty()) {
      warnings.push_back(text);
    }
  }
  return warnings;
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
  const MaskContent masks = check_files(state_->train);
  if (masks.foreground == 0) {
    throw DataError(empty_masks_text(state_->train.size(), state_->train));
  }
  const data::Dataset test(state_->split.test, config_.data);
  std::vector<DividedImage> images;
  append(images, state_->train, data::Split::kTrain, masks);
  append(images, state_->validation, data::Split::kValidation, check_files(state_->validation));
  append(images, test, data::Split::kTest, check_files(test));
  DryRunReport report;
  report.split_warnings = find_leaks(images, config_.data.split.strategy);
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
