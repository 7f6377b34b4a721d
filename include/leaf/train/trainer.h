#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "leaf/config/config.h"
#include "leaf/core/device.h"
#include "leaf/data/split.h"
#include "leaf/train/process_group.h"

namespace leaf {

/// Named scalars of one step or one validation ("loss", "dice", ...).
using Scores = std::map<std::string, double>;

/// The one of a validation that decides which model is best (validation.best_metric).
inline constexpr const char* kScore = "score";

struct Checkpoint;

/// What the caller of a training run sees and decides while it goes on.
struct TrainerCallbacks {
  /// Once, before the first step: steps that an earlier run has done (0 without a resume).
  std::function<void(std::int64_t step)> on_start;
  /// After every step: steps done and the latest scalars ("loss", "learning_rate", ...).
  std::function<void(std::int64_t step, const Scores& scores)> on_step;
  /// After every validation.
  std::function<void(std::int64_t step, const Scores& scores)> on_validation;
  /// True to save a checkpoint and stop after the current step, or the next one that is finite. A
  /// validation that is due is done when the run goes on.
  std::function<bool()> stop_requested;
};

/// What becomes of a run folder that exists.
struct RunStart {
  bool resume = false;
  /// Continues although the configuration changes what is learned or how it is scored, or the
  /// networks that do not learn have other weights.
  bool allow_changes = false;
};

struct TrainingResult {
  std::int64_t steps = 0;
  std::int64_t best_step = 0;  ///< 0 when nothing was validated
  double best_score = 0.0;
  bool interrupted = false;
};

/// What a dry run found out.
struct DryRunReport {
  std::size_t train_images = 0, validation_images = 0, test_images = 0;
  /// Shares (0 to 1) of the train part: of the images, those whose mask has foreground; of the
  /// pixels at data.resolution, those that are foreground.
  double with_foreground = 0.0, foreground = 0.0;
  std::int64_t trained_parameters = 0;
  Scores scores;  ///< of the one step
  double seconds_per_step = 0.0;
  double seconds_per_validation = 0.0;  ///< of the whole part, from its first batch; 0 without one
  double estimated_seconds = 0.0;       ///< of all steps and validations of the configuration
  double step_memory_bytes = 0.0;       ///< peak of this process before it validated
  double peak_memory_bytes = 0.0;
  /// What makes scores on this division look better than they are: near-identical images in
  /// different parts, and names that look like groups which the parts divide. A line each.
  std::vector<std::string> split_warnings;
};

/// Where the time of training steps went.
struct TrainingProfile {
  std::int64_t steps = 0;
  std::int64_t images = 0;
  double seconds = 0.0;  ///< of these steps
  /// Of each stage: data (waiting for it), frozen networks, forward, backward, optimizer (averages
  /// too), rest. A recorded step (train.cuda_graph) has forward and backward in one.
  std::map<std::string, double> stages;
  double peak_memory_bytes = 0.0;
};

/// Trains what a configuration describes and keeps its run folder.
///
/// Several processes with equal configurations, each with its `group`, train one model: they take
/// the micro-batches of a step in turn, as one process would with as many times the gradient
/// accumulation, and share the images of a validation. Process 0 alone writes; the others must see
/// its run folder.
class Trainer {
 public:
  Trainer(Config config, c10::Device device, std::shared_ptr<ProcessGroup> group = nullptr);
  ~Trainer();

  /// Runs to max_train_steps. The run folder must not exist, unless `start.resume`: then the newest
  /// checkpoint that can be read is continued (from the start, with a warning, where there is
  /// none). ConfigError lists what the configuration changes of the run's own, unless that is
  /// harmless or `start.allow_changes`. The state on the disk is complete at every moment. A new
  /// run that fails before its first step is done leaves nothing; a DataError or FileError after
  /// that comes after an attempt to save a checkpoint. Throws FileError while another program
  /// trains into the same folder. Warns where the first 64 masks (or all) are empty. Steps whose
  /// loss or gradients are not finite change no weights (their average goes on); ten in a row end
  /// the run with an Error that names the last images, and so do several up to the last step.
  TrainingResult run(const RunStart& start, const TrainerCallbacks& callbacks = {});

  /// Reads every image and mask, does one real step and scores one batch for validation, without
  /// touching the run folder. Throws DataError where pairs cannot be used, the first 20 of several
  /// logged before, and where no mask of the train part has foreground, ConfigError for one of
  /// several processes.
  DryRunReport dry_run();

  /// Does one step and then times `steps` of them, without touching the run folder. Throws
  /// ConfigError for one of several processes.
  TrainingProfile profile(std::int64_t steps);

 private:
  struct State;
  /// Named scalars of a step, on the device.
  using StepScalars = std::map<std::string, at::Tensor>;
  void prepare();
  void run_in_folder(const RunStart& start, TrainingResult& result,
                     const TrainerCallbacks& callbacks);
  void open_run_folder(bool was_there, bool allow_changes);
  void require_same_frozen(const Checkpoint& checkpoint, bool allow_changes) const;
  void restore(const std::filesystem::path& path, const Checkpoint& checkpoint);
  void take_best(const Checkpoint& checkpoint);
  void require_equal_starts() const;
  void share_gradients();
  std::int64_t batches_at(std::int64_t step) const;
  void make_loader();
  void run_steps(TrainingResult& result, const TrainerCallbacks& callbacks);
  void repeat_steps(TrainingResult& result, const TrainerCallbacks& callbacks);
  std::string save_after_failure(std::int64_t step);
  const Scores& train_step(std::int64_t step, bool read);
  StepScalars add_gradients();
  void average_over_processes(StepScalars& scalars);
  void read_scores(std::int64_t step, const StepScalars& scalars);
  void require_finite_steps(std::int64_t step);
  std::int64_t skipped_steps() const;
  bool may_save(std::int64_t step, bool last) const;
  void write_log(std::int64_t step);
  double time_validation();
  void validate(std::int64_t step, const TrainerCallbacks& callbacks);
  void save(std::int64_t step);

  Config config_;
  c10::Device device_;
  std::shared_ptr<ProcessGroup> group_;
  std::unique_ptr<State> state_;
};

}  // namespace leaf
