#include "leaf/train/trainer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <exception>
#include <utility>
#include <vector>

#include "leaf/core/cpu_allocator.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/folder_lock.h"
#include "leaf/core/log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "train/checkpoint.h"
#include "train/resume.h"
#include "train/run_log.h"
#include "trainer_state.h"
#include "validation_share.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// Copies what is logged into a run's folder while it lives.
class LogFile {
 public:
  explicit LogFile(const fs::path& path) { log::open_file(path); }
  ~LogFile() { log::close_file(); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

constexpr const char* kOverlays = "overlays";

AdamWOptions optimizer_options(const TrainSection& train) {
  return {.beta1 = train.adam_beta1,
          .beta2 = train.adam_beta2,
          .epsilon = train.adam_epsilon,
          .weight_decay = train.weight_decay};
}

}  // namespace

bool validation_is_due(const Config& config, std::int64_t step) {
  const std::int64_t since_start = step - config.validation.start_steps;
  return step == config.train.max_train_steps ||
         (since_start >= 0 && since_start % config.validation.steps == 0);
}

Trainer::State::State(const Config& config, c10::Device device, const ProcessGroup& group)
    : split(divide_for_run(config)),
      train(split.train, config.data),
      validation(share_of(split.validation, config.validation.batch_size, group), config.data),
      task(make_task(config, device)),
      optimizer(task->parameters(), optimizer_options(config.train)) {}

std::int64_t Trainer::State::trained_parameters() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : task->parameters()) {
    count += parameter.numel();
  }
  return count;
}

Trainer::Trainer(Config config, c10::Device device, std::shared_ptr<ProcessGroup> group)
    : config_(std::move(config)),
      device_(device),
      group_(group ? std::move(group) : std::make_shared<ProcessGroup>()) {
  if (config_.train.mixed_precision == Precision::kFloat16) {
    throw ConfigError(
        "TrainSection::mixed_precision: fp16 is for inference, small gradients would vanish in it; "
        "train in fp32 or bf16");
  }
  if (group_->count() > 1 && config_.train.cuda_graph) {
    throw ConfigError(
        "TrainSection::cuda_graph records the step of a single process; set it to false");
  }
  if (config_.train.cuda_graph && config_.train.gradient_checkpointing) {
    throw ConfigError(
        "TrainSection::cuda_graph cannot record what TrainSection::gradient_checkpointing does; "
        "set one of them to false");
  }
}

Trainer::~Trainer() = default;

void Trainer::prepare() {
  state_ = std::make_unique<State>(config_, device_, *group_);
  log::info(str("images: ", state_->split.train.size(), " to train, ",
                state_->split.validation.size(), " to validate, ", state_->split.test.size(),
                " to test"));
  log::info(str("trained parameters: ", state_->trained_parameters()));
}

/// A failure is told to the other processes, but for one that is theirs.
TrainingResult Trainer::run(const RunStart& start, const TrainerCallbacks& callbacks) {
  TrainingResult result;
  try {
    if (group_->first()) {
      run_in_folder(start, result, callbacks);
    } else {
      group_->wait_for_all();  // until the folder is process 0's
      prepare();
      // Process 0 says what is amiss.
      open_run_folder(/*was_there=*/false, /*allow_changes=*/true);
      run_steps(result, callbacks);
    }
  } catch (const ProcessLost&) {
    throw;
  } catch (const std::exception& failure) {
    group_->report_failure(failure.what());
    throw;
  }
  result.best_step = state_->best_step;
  result.best_score = state_->best_score;
  return result;
}

void Trainer::run_in_folder(const RunStart& start, TrainingResult& result,
                            const TrainerCallbacks& callbacks) {
  const fs::path& folder = config_.output.dir;
  const bool existed = fs::exists(folder);
  if (existed && !start.resume) {
    throw ConfigError(
        str("OutputSection::dir: '", folder.string(),
            "' exists already; continue it with RunStart::resume, or choose another"));
  }
  const std::vector<fs::path> new_parents = missing_parents(folder);
  make_folder(folder);
  const FolderLock lock(folder);
  try {
    const LogFile log_file(folder / "log.txt");
    remove_leftovers(folder);
    group_->wait_for_all();
    const config::Differences changes = find_changes(config_, start.allow_changes);
    prepare();
    open_run_folder(start.resume && existed, start.allow_changes);
    report_changes(changes);
    run_steps(result, callbacks);
  } catch (...) {
    if (!existed && result.steps == 0) {
      remove_folder(folder, new_parents);
    }
    throw;
  }
}

/// Micro-batches that all processes have taken together once `step` is done.
std::int64_t Trainer::batches_at(std::int64_t step) const {
  return state_->start_batch +
         (step - state_->start_step) * config_.train.gradient_accumulation_steps * group_->count();
}

void Trainer::run_steps(TrainingResult& result, const TrainerCallbacks& callbacks) {
  try {
    repeat_steps(result, callbacks);
  } catch (const ProcessLost& failure) {
    throw ProcessLost(str(failure.what(), save_after_failure(result.steps)));
  } catch (const DataError& failure) {
    throw DataError(str(failure.what(), save_after_failure(result.steps)));
  } catch (const FileError& failure) {
    throw FileError(str(failure.what(), save_after_failure(result.steps)));
  } catch (...) {
    if (state_->validation_due) {  // a validation failed; the steps before it are whole
      const std::string saved = save_after_failure(result.steps);
      if (!saved.empty()) {
        log::info("a validation has failed" + saved);
      }
    }
    throw;
  }
}

/// Saves what was done since the newest checkpoint; returns what to add to the failure's message.
std::string Trainer::save_after_failure(std::int64_t step) {
  if (step > state_->saved_step) {
    try {
      if (may_save(step, /*last=*/false)) {
        save(step);
      }
    } catch (const std::exception&) {  // the failure itself is what the user is told
    }
  }
  if (!group_->first()) {
    return "";  // process 0 saves, unless it is the one that is lost
  }
  const std::int64_t saved = state_->saved_step;
  return saved > 0  ? str("; then RunStart::resume continues after step ", saved)
         : step > 0 ? "; then RunStart::resume starts again at step 0"
                    : "";
}

void Trainer::repeat_steps(TrainingResult& result, const TrainerCallbacks& callbacks) {
  const TrainSection& train = config_.train;
  result.steps = state_->start_step;
  if (callbacks.on_start) {
    callbacks.on_start(result.steps);
  }
  if (state_->validation_due) {
    validate(result.steps, callbacks);
    save(result.steps);
  }
  bool save_due = false;
  while (result.steps < train.max_train_steps && !result.interrupted) {
    const std::int64_t done = result.steps + 1;
    const bool last = done == train.max_train_steps;
    const bool validated = !state_->split.validation.empty() && validation_is_due(config_, done);
    const bool logged = done % train.log_steps == 0 || last;
    const bool saved = done % train.checkpoint_steps == 0 || last;
    const Scores& scores =
        train_step(result.steps, logged || saved || validated || device_.is_cpu());
    result.steps = done;
    state_->validation_due = state_->validation_due || validated;
    if (callbacks.on_step) {
      callbacks.on_step(done, scores);
    }
    result.interrupted =
        group_->any(!last && callbacks.stop_requested && callbacks.stop_requested());
    if (logged) {
      write_log(done);
    }
    if (state_->validation_due && !result.interrupted) {  // else when the run goes on
      validate(done, callbacks);
    }
    save_due = save_due || saved;
    if (save_due || result.interrupted) {
      if (may_save(done, last)) {
        save(done);
        save_due = false;
      } else {
        result.interrupted = false;  // after the next one that is
      }
    }
  }
}

/// Every process comes to the same scores; process 0 keeps them.
void Trainer::validate(std::int64_t step, const TrainerCallbacks& callbacks) {
  release_unused_memory();
  const fs::path overlays = config_.output.dir / kOverlays / step_name(step);
  const auto gather = [this](const at::Tensor& rows) {
    return gathered_rows(rows, config_.validation.batch_size, *group_);
  };
  const Scores scores = state_->task->validate(
      state_->validation, {.gather = gather,
                           .overlays = group_->first() ? config_.validation.overlays : 0,
                           .overlay_folder = overlays});
  release_unused_memory();
  state_->validation.masks().log_lines();
  const double score = scores.at(kScore);
  const bool first = state_->best_step == 0 && !std::isnan(score);
  if (first || state_->task->is_better(score, state_->best_score)) {
    if (group_->first()) {
      state_->task->save_model(config_.output.dir / kRunBest);
    }
    state_->best_step = step;
    state_->best_score = score;
  }
  state_->validation_due = false;
  if (state_->log) {
    state_->log->write(step, "validation", scores);
    state_->log->write_images(step, "validation", overlays);
  }
  if (callbacks.on_validation) {
    callbacks.on_validation(step, scores);
  }
}

/// The checkpoint comes last: a run that is killed in between writes the same model folder again.
void Trainer::save(std::int64_t step) {
  if (group_->first()) {
    state_->task->save_model(config_.output.dir / kRunLast);
    write_checkpoint(config_.output.dir / kCheckpoints,
                     {.step = step,
                      .batches = batches_at(step),
                      .best_score = state_->best_score,
                      .best_step = state_->best_step,
                      .best_metric = config_.validation.best_metric,
                      .best_images = enum_text(config_.validation.best_images),
                      .validation_due = state_->validation_due,
                      .frozen = state_->frozen,
                      .unlogged_sums = state_->window.sums(),
                      .unlogged_steps = state_->window.steps(),
                      .skipped_steps = skipped_steps(),
                      .weights = state_->task->state(),
                      .optimizer = state_->optimizer.state()},
                     config_.train.checkpoints_total_limit);
  }
  state_->saved_step = step;
}

}  // namespace leaf
