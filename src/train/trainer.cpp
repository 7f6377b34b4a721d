#include "leaf/train/trainer.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/folder_lock.h"
#include "leaf/config/load.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/random.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "train/checkpoint.h"
#include "train/resume.h"
#include "train/run_log.h"
#include "trainer_state.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCheckpoints = "checkpoints";

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

Trainer::State::State(const Config& config, c10::Device device)
    : split(divide_for_run(config)),
      train(split.train, config.data),
      validation(split.validation, config.data),
      task(make_task(config, device)),
      optimizer(task->parameters(), optimizer_options(config.train)) {}

std::int64_t Trainer::State::trained_parameters() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : task->parameters()) {
    count += parameter.numel();
  }
  return count;
}

Trainer::Trainer(Config config, c10::Device device) : config_(std::move(config)), device_(device) {}

Trainer::~Trainer() = default;

void Trainer::prepare() {
  state_ = std::make_unique<State>(config_, device_);
  log::info(str("images: ", state_->split.train.size(), " to train, ",
                state_->split.validation.size(), " to validate, ", state_->split.test.size(),
                " to test"));
  log::info(str("trained parameters: ", state_->trained_parameters()));
}

TrainingResult Trainer::run(const RunStart& start, const TrainerCallbacks& callbacks) {
  const fs::path& folder = config_.output.dir;
  const bool existed = fs::exists(folder);
  if (existed && !start.resume) {
    throw ConfigError(str("output.dir: '", folder.string(),
                          "' exists already; continue it with --resume, or choose another"));
  }
  const std::vector<fs::path> new_parents = missing_parents(folder);
  make_folder(folder);
  const FolderLock lock(folder);
  TrainingResult result;
  try {
    log::open_file(folder / "log.txt");
    const config::Differences changes = find_changes(config_, start.allow_changes);
    prepare();
    open_run_folder(start.resume && existed);
    report_changes(changes);
    run_steps(result, callbacks);
  } catch (...) {
    if (!existed && result.steps == 0) {
      log::close_file();
      remove_folder(folder, new_parents);
    }
    throw;
  }
  result.best_step = state_->best_step;
  result.best_score = state_->best_score;
  return result;
}

/// Everything is read, and found to fit, before the files of an earlier run are replaced.
void Trainer::open_run_folder(bool was_there) {
  const fs::path& folder = config_.output.dir;
  const fs::path checkpoints = folder / kCheckpoints;
  make_folder(checkpoints);
  remove_leftovers(folder);
  remove_leftovers(checkpoints);
  if (const auto found = newest_readable(checkpoints)) {
    restore(found->path, found->checkpoint);
  } else if (was_there) {
    log::warn(str("no checkpoint in '", checkpoints.string(), "', starting at step 0"));
  }
  make_loader(state_->start_step);
  state_->empty_masks.emplace(state_->train);
  write_file(folder / kRunConfig, config::dump_yaml(config_));
  if (!fs::exists(folder / kRunSplit)) {  // the rows of images that are gone stay in it
    data::write_split_csv(folder / kRunSplit, state_->split, config_.data.root);
  }
  state_->log.emplace(folder, state_->start_step);
}

void Trainer::restore(const fs::path& path, const Checkpoint& checkpoint) {
  try {
    state_->task->load_state(checkpoint.weights);
    state_->optimizer.load_state(checkpoint.optimizer);
  } catch (const WeightsError& error) {
    throw WeightsError(str("cannot continue from '", path.string(), "': ", error.what(),
                           "; use the configuration of that run"));
  }
  state_->start_step = state_->saved_step = checkpoint.step;
  state_->validation_due = checkpoint.validation_due && state_->validation.size() > 0;
  state_->best_step = checkpoint.best_step;
  state_->best_score = checkpoint.best_score;
  state_->window = {checkpoint.unlogged_sums, checkpoint.unlogged_steps};
  log::info(str("continuing after step ", checkpoint.step, " (", path.string(), ")"));
}

void Trainer::make_loader(std::int64_t first_step) {
  const TrainSection& train = config_.train;
  state_->loader = std::make_unique<data::Loader>(
      state_->train,
      data::LoaderOptions{.batch_size = train.train_batch_size,
                          .seed = config_.seed,
                          .horizontal_flip = config_.data.horizontal_flip,
                          .vertical_flip = config_.data.vertical_flip,
                          .num_workers = config_.data.num_workers},
      first_step * train.gradient_accumulation_steps);
}

/// A loss that is not finite is left alone: its weights may be past saving.
void Trainer::run_steps(TrainingResult& result, const TrainerCallbacks& callbacks) {
  try {
    repeat_steps(result, callbacks);
  } catch (const DataError& failure) {
    throw DataError(str(failure.what(), save_after_failure(result.steps)));
  } catch (const FileError& failure) {
    throw FileError(str(failure.what(), save_after_failure(result.steps)));
  }
}

/// Saves what was done since the newest checkpoint; returns what to add to the failure's message.
std::string Trainer::save_after_failure(std::int64_t step) {
  if (step > state_->saved_step) {
    try {
      save(step);
    } catch (const std::exception&) {  // the failure itself is what the user is told
    }
  }
  const std::int64_t saved = state_->saved_step;
  return saved > 0  ? str("; then --resume continues after step ", saved)
         : step > 0 ? "; then --resume starts again at step 0"
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
  while (result.steps < train.max_train_steps && !result.interrupted) {
    const std::int64_t done = result.steps + 1;
    const bool last = done == train.max_train_steps;
    const bool validated = state_->validation.size() > 0 && validation_is_due(config_, done);
    const bool logged = done % train.log_steps == 0 || last;
    const bool saved = done % train.checkpoint_steps == 0 || last;
    const Scores& scores =
        train_step(result.steps, logged || saved || validated || device_.is_cpu());
    result.steps = done;
    state_->validation_due = validated;
    if (callbacks.on_step) {
      callbacks.on_step(done, scores);
    }
    result.interrupted = !last && callbacks.stop_requested && callbacks.stop_requested();
    if (logged) {
      write_log(done);
    }
    if (state_->validation_due) {
      validate(done, callbacks);
    }
    if (saved || result.interrupted) {
      save(done);
    }
  }
}

/// Reading the scores waits for the device: without `read` those that were read last are returned.
/// A step whose loss or gradient is not finite changes nothing, and ends the run when it is read.
const Scores& Trainer::train_step(std::int64_t step, bool read) {
  const TrainSection& train = config_.train;
  if (state_->unread_steps++ == 0) {
    state_->unread_time = Stopwatch();
  }
  const double rate = warmup_learning_rate(train.learning_rate, train.num_warmup_steps, step);
  state_->optimizer.zero_grad();
  StepScalars scalars;
  for (std::int64_t micro = 0; micro < train.gradient_accumulation_steps; ++micro) {
    add_gradients(scalars);
  }
  scalars["grad_norm"] = state_->optimizer.clip_gradients(train.max_grad_norm);
  const at::Tensor finite = at::isfinite(scalars["loss"]) & at::isfinite(scalars["grad_norm"]);
  const at::Tensor skip = finite.logical_not().to(at::kFloat);
  state_->optimizer.step(rate, skip);
  state_->task->after_update(step + 1);
  state_->window.add(scalars);
  state_->skipped = state_->skipped.defined() ? state_->skipped + skip : skip;
  if (read || state_->scores.empty()) {
    read_scores(step, scalars);
  }
  state_->scores["learning_rate"] = rate;
  return state_->scores;
}

/// Adds what the next batch contributes to a step: its gradients, and its losses to `scalars`.
void Trainer::add_gradients(StepScalars& scalars) {
  const std::int64_t accumulation = config_.train.gradient_accumulation_steps;
  const data::Batch batch = state_->loader->next();
  if (state_->empty_masks) {
    state_->empty_masks->look_at(batch);
    data::MaskCensus& masks = state_->train.masks();
    masks.log_lines(/*borders=*/false, /*first_only=*/!masks.complete());
  }
  seed_dropout(config_.seed, batch.step);
  const TaskLoss loss = state_->task->add_gradients(batch, accumulation);
  const auto add = [&](const std::string& name, const at::Tensor& value) {
    const at::Tensor part = value.detach().to(at::kDouble) / accumulation;
    at::Tensor& sum = scalars[name];
    sum = sum.defined() ? sum + part : part;
  };
  add("loss", loss.total);
  for (const auto& [name, part] : loss.parts) {
    add(name, part);
  }
}

/// Waits for the device. Such steps changed no weights, but the next ones would fare no better.
void Trainer::require_finite_steps(std::int64_t step) const {
  if (state_->skipped.defined() && state_->skipped.item<float>() > 0) {
    const std::string where = state_->unread_steps > 1
                                  ? str("between steps ", step + 1 - state_->unread_steps, " and ")
                                  : "at step ";
    throw Error(str("the loss is not finite ", where, step,
                    "; lower train.learning_rate and continue with --resume"));
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
  state_->unread_steps = 0;
}

/// Logs the means of the steps since the last time.
void Trainer::write_log(std::int64_t step) {
  Scores means = state_->window.means();
  means["learning_rate"] = state_->scores.at("learning_rate");
  state_->log->write(step, "train", means);
  state_->window = {};
}

void Trainer::validate(std::int64_t step, const TrainerCallbacks& callbacks) {
  release_unused_memory();
  const Scores scores = state_->task->validate(state_->validation);
  release_unused_memory();
  state_->validation.masks().log_lines();
  if (state_->best_step == 0 || scores.at(kScore) > state_->best_score) {
    state_->task->save_model(config_.output.dir / kRunBest);
    state_->best_step = step;
    state_->best_score = scores.at(kScore);
  }
  state_->log->write(step, "validation", scores);
  state_->validation_due = false;
  if (callbacks.on_validation) {
    callbacks.on_validation(step, scores);
  }
}

/// The checkpoint comes last: a run that is killed in between writes the same model folder again.
void Trainer::save(std::int64_t step) {
  require_finite_steps(step);
  state_->task->save_model(config_.output.dir / kRunLast);
  write_checkpoint(config_.output.dir / kCheckpoints,
                   {.step = step,
                    .best_score = state_->best_score,
                    .best_step = state_->best_step,
                    .validation_due = state_->validation_due,
                    .unlogged_sums = state_->window.sums(),
                    .unlogged_steps = state_->window.steps(),
                    .weights = state_->task->state(),
                    .optimizer = state_->optimizer.state()},
                   config_.train.checkpoints_total_limit);
  state_->saved_step = step;
}

}  // namespace leaf
