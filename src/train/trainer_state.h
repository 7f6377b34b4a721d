#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "empty_masks.h"
#include "leaf/core/stopwatch.h"
#include "leaf/data/dataset.h"
#include "leaf/data/split.h"
#include "leaf/train/process_group.h"
#include "leaf/train/trainer.h"
#include "log_window.h"
#include "train/optimizer.h"
#include "train/run_log.h"
#include "train/task.h"

namespace leaf {

/// Of the run folder.
inline constexpr const char* kCheckpoints = "checkpoints";

/// Among the scores of every step.
inline constexpr const char* kSecondsPerStep = "seconds_per_step";

/// Whether the validation part, where there is one, is scored after a step; after the last it
/// always is.
bool validation_is_due(const Config& config, std::int64_t step);

/// What lives as long as a run.
struct Trainer::State {
  data::SplitPairs split;
  data::Dataset train;
  data::Dataset validation;  ///< this process's share
  std::unique_ptr<TrainingTask> task;
  AdamW optimizer;
  std::unique_ptr<data::Loader> loader;
  std::optional<EmptyMaskWatch> empty_masks;  ///< of a run; a dry run looks at every mask
  std::optional<RunLog> log;
  LogWindow window;  ///< of the steps since it was written to
  std::int64_t start_step = 0;
  std::int64_t start_batch = 0;  ///< micro-batches that all processes had taken at that step
  std::int64_t saved_step = 0;   ///< of the newest checkpoint; 0 when there is none
  bool validation_due = false;   ///< of the last step that is done
  std::string frozen;            ///< TrainingTask::frozen_hash
  std::int64_t best_step = 0;
  double best_score = 0.0;
  Scores scores;                  ///< of the step that was read last
  std::int64_t unread_steps = 0;  ///< steps since, and the time that they take
  Stopwatch unread_time;
  /// How many steps were not finite, in all and in a row up to the last; on the device.
  at::Tensor skipped, skipped_in_a_row;
  double told_skipped = 0;               ///< as many as the user has heard of
  std::vector<std::string> batch_names;  ///< images of the last step

  State(const Config& config, c10::Device device, const ProcessGroup& group);
  std::int64_t trained_parameters() const;
};

}  // namespace leaf
