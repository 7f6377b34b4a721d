#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "leaf/io/tensor_map.h"

namespace leaf {

/// Everything that a resume needs. Random draws follow from `batches`.
struct Checkpoint {
  std::int64_t step = 0;  ///< optimizer updates done
  /// Micro-batches that these took, of all processes: where the data order goes on; -1 where it is
  /// not known.
  std::int64_t batches = 0;
  double best_score = 0.0;
  std::int64_t best_step = 0;  ///< 0: nothing was scored yet
  /// What was scored: ValidationSection's fields of these names.
  std::string best_metric = "dice";
  std::string best_images = "all";
  /// The validation of `step` is still to be done: training ended before it was.
  bool validation_due = false;
  /// TrainingTask::frozen_hash; empty in older ones.
  std::string frozen = {};
  /// Sums of the scalars of the steps that are done but not logged yet, and their number.
  std::map<std::string, double> unlogged_sums = {};
  std::int64_t unlogged_steps = 0;
  /// Steps that were not finite and so changed no weights.
  std::int64_t skipped_steps = 0;
  io::TensorMap weights;
  io::TensorMap optimizer;
};

/// "step-0000500": names that sort by step.
std::string step_name(std::int64_t step);

/// Writes `folder`/step-0000500/, complete or absent, with the checksums of its files, and then
/// removes all but the newest `keep`. Those of later steps go too: this run could not read them.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                      std::int64_t keep);

/// The complete checkpoints below `folder`, oldest first.
std::vector<std::filesystem::path> complete_checkpoints(const std::filesystem::path& folder);

/// Throws WeightsError for a checkpoint of a newer format and for a damaged one: a file that is not
/// as its checksum says, or a value that cannot be.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace leaf
