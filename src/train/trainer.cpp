#include "leaf/train/trainer.h"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/train/checkpoint.h"
#include "leaf/train/run_log.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

AdamWOptions optimizer_options(const TrainSection& train) {
  return {.beta1 = train.adam_beta1,
          .beta2 = train.adam_beta2,
          .epsilon = train.adam_epsilon,
          .weight_decay = train.weight_decay};
}

std::int64_t element_count(const NamedParameters& parameters) {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : parameters) {
    count += parameter.numel();
  }
  return count;
}

}  // namespace

/// What lives as long as a run.
struct Trainer::State {
  data::SplitPairs split;
  data::Dataset train, validation;
  std::unique_ptr<TrainingTask> task;
  AdamW optimizer;
  std::unique_ptr<data::Loader> loader;
  std::optional<RunLog> log;
  std::int64_t start_step = 0;
  std::int64_t best_step = 0;
  double best_score = 0.0;

  State(const Config& config, c10::Device device)
      : split(data::split_pairs(config.data, config.seed)),
        train(split.train, config.data),
        validation(split.validation, config.data),
        task(make_task(config, device)),
        optimizer(task->parameters(), optimizer_options(config.train)) {}
};

Trainer::Trainer(Config config, c10::Device device) : config_(std::move(config)), device_(device) {}

Trainer::~Trainer() = default;

void Trainer::prepare() {
  state_ = std::make_unique<State>(config_, device_);
  log::info(str("images: ", state_->split.train.size(), " to train, ",
                state_->split.validation.size(), " to validate, ", state_->split.test.size(),
                " to test"));
  log::info(str("trained parameters: ", element_count(state_->task->parameters())));
}

TrainingResult Trainer::run(bool resume, const TrainerCallbacks& callbacks) {
  const bool existed = fs::exists(config_.output.dir);
  if (existed && !resume) {
    throw ConfigError(str("output.dir: '", config_.output.dir.string(),
                          "' exists already; continue it with --resume, or choose another"));
  }
  prepare();
  open_run_folder(resume);

  const TrainSection& train = config_.train;
  TrainingResult result;
  result.steps = state_->start_step;
  while (result.steps < train.max_train_steps) {
    const auto start = Clock::now();
    Scores scores = train_step(result.steps);
    const std::int64_t done = ++result.steps;
    scores["seconds_per_step"] = seconds_since(start);
    if (callbacks.on_step) {
      callbacks.on_step(done, scores);
    }
    const bool last = done == train.max_train_steps;
    result.interrupted = !last && callbacks.stop_requested && callbacks.stop_requested();
    if (done % train.log_steps == 0 || last) {
      state_->log->write(done, "train", scores);
    }
    const bool due = done >= config_.validation.start_steps &&
                     (done - config_.validation.start_steps) % config_.validation.steps == 0;
    if ((due || last) && !result.interrupted && state_->validation.size() > 0) {
      validate(done, callbacks);
    }
    if (done % train.checkpoint_steps == 0 || last || result.interrupted) {
      save(done);
    }
    if (result.interrupted) {
      break;
    }
  }
  result.best_step = state_->best_step;
  result.best_score = state_->best_score;
  return result;
}

void Trainer::open_run_folder(bool resume) {
  const fs::path& folder = config_.output.dir;
  make_folder(folder);
  log::open_file(folder / "log.txt");
  if (const auto checkpoint = latest_checkpoint(folder / "checkpoints"); resume && checkpoint) {
    restore(*checkpoint);
  }
  write_file(folder / "config.yaml", config::dump_yaml(config_));
  data::write_split_csv(folder / "split.csv", state_->split, config_.data.root);
  state_->log.emplace(folder, state_->start_step);
}

void Trainer::restore(const fs::path& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  state_->task->load_state(checkpoint.weights);
  state_->optimizer.load_state(checkpoint.optimizer);
  state_->start_step = checkpoint.step;
  state_->best_step = checkpoint.best_step;
  state_->best_score = checkpoint.best_score;
  log::info(str("continuing after step ", checkpoint.step, " (", path.string(), ")"));
}

Scores Trainer::train_step(std::int64_t step) {
  const TrainSection& train = config_.train;
  const std::int64_t accumulation = train.gradient_accumulation_steps;
  if (!state_->loader) {
    state_->loader = std::make_unique<data::Loader>(
        state_->train,
        data::LoaderOptions{.batch_size = train.train_batch_size,
                            .seed = config_.seed,
                            .horizontal_flip = config_.data.horizontal_flip,
                            .vertical_flip = config_.data.vertical_flip,
                            .num_workers = config_.data.num_workers},
        step * accumulation);
  }
  const double rate = warmup_learning_rate(train.learning_rate, train.num_warmup_steps, step);
  Scores scores{{"learning_rate", rate}};
  state_->optimizer.zero_grad();
  for (std::int64_t micro = 0; micro < accumulation; ++micro) {
    const data::Batch batch = state_->loader->next();
    seed_dropout(config_.seed, batch.step, /*rank=*/0);
    const TaskLoss loss = state_->task->loss(batch);
    (loss.total / accumulation).backward();
    const double share = 1.0 / static_cast<double>(accumulation);
    scores["loss"] += loss.total.item<double>() * share;
    for (const auto& [name, part] : loss.parts) {
      scores[name] += part.item<double>() * share;
    }
  }
  if (!std::isfinite(scores["loss"])) {
    throw Error(str("the loss is not finite at step ", step + 1,
                    "; lower train.learning_rate and continue with --resume"));
  }
  scores["grad_norm"] = state_->optimizer.clip_gradients(train.max_grad_norm);
  state_->optimizer.step(rate);
  state_->task->after_update(step + 1);
  return scores;
}

void Trainer::validate(std::int64_t step, const TrainerCallbacks& callbacks) {
  const Scores scores = state_->task->validate(state_->validation);
  state_->log->write(step, "validation", scores);
  if (state_->best_step == 0 || scores.at(kScore) > state_->best_score) {
    state_->best_step = step;
    state_->best_score = scores.at(kScore);
    state_->task->save_model(config_.output.dir / "best");
  }
  if (callbacks.on_validation) {
    callbacks.on_validation(step, scores);
  }
}

void Trainer::save(std::int64_t step) {
  write_checkpoint(config_.output.dir / "checkpoints",
                   {.step = step,
                    .best_score = state_->best_score,
                    .best_step = state_->best_step,
                    .weights = state_->task->state(),
                    .optimizer = state_->optimizer.state()},
                   config_.train.checkpoints_total_limit);
  state_->task->save_model(config_.output.dir / "last");
}

DryRunReport Trainer::dry_run() {
  prepare();
  DryRunReport report;
  report.train_images = state_->split.train.size();
  report.validation_images = state_->split.validation.size();
  report.test_images = state_->split.test.size();
  report.trained_parameters = element_count(state_->task->parameters());
  const auto start = Clock::now();
  report.scores = train_step(0);
  report.seconds_per_step = seconds_since(start);
  report.estimated_seconds =
      report.seconds_per_step * static_cast<double>(config_.train.max_train_steps);
  report.peak_memory_bytes = peak_memory_bytes();
  return report;
}

}  // namespace leaf
