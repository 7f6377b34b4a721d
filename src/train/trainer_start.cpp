#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hash.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"
#include "train/checkpoint.h"
#include "train/resume.h"
#include "trainer_state.h"

namespace leaf {
namespace fs = std::filesystem;

/// Everything is read, and found to fit, before the files of an earlier run are replaced.
void Trainer::open_run_folder(bool was_there, bool allow_changes) {
  const fs::path& folder = config_.output.dir;
  const fs::path checkpoints = folder / kCheckpoints;
  if (group_->first()) {
    make_folder(checkpoints);
    remove_leftovers(checkpoints);
  }
  group_->wait_for_all();
  state_->frozen = state_->task->frozen_hash();
  if (const auto found = newest_readable(checkpoints)) {
    require_same_frozen(found->checkpoint, allow_changes);
    restore(found->path, found->checkpoint);
  } else if (was_there) {
    log::warn(str("no checkpoint in '", checkpoints.string(), "', starting at step 0"));
  }
  require_equal_starts();
  make_loader();
  share_gradients();
  if (!group_->first()) {
    return;
  }
  state_->empty_masks.emplace(state_->train);
  write_file(folder / kRunConfig, config::dump_yaml(config_));
  if (!fs::exists(folder / kRunSplit)) {  // the rows of images that are gone stay in it
    data::write_split_csv(folder / kRunSplit, state_->split, config_.data.root);
  }
  state_->log.emplace(folder, state_->start_step);
}

/// Processes that start from different things would train nothing.
void Trainer::require_equal_starts() const {
  if (group_->count() == 1) {
    return;
  }
  Hasher hasher;
  hasher.add(config::dump_yaml(config_));
  hasher.add(state_->frozen);
  for (const auto* part : {&state_->split.train, &state_->split.validation}) {
    for (const data::Pair& pair : *part) {
      hasher.add(pair.name + "\n");
    }
  }
  for (const auto& [name, parameter] : state_->task->parameters()) {
    hasher.add(parameter.detach());
  }
  const std::vector<std::string> all =
      group_->gather(str(state_->start_step, " ", hex_text(hasher.digest())));
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] != all[0]) {
      throw ConfigError(str("process ", rank,
                            " starts from another configuration, data set, "
                            "checkpoint or other weights than process 0; give both the same"));
    }
  }
}

/// What was learned beside an autoencoder or a teacher does not fit another one.
void Trainer::require_same_frozen(const Checkpoint& checkpoint, bool allow_changes) const {
  if (checkpoint.frozen.empty() || checkpoint.frozen == state_->frozen) {
    return;
  }
  const std::string what =
      str("the networks that do not learn (autoencoder, teacher) have other "
          "weights than when the run in '",
          config_.output.dir.string(), "' was started");
  if (!allow_changes) {
    throw ConfigError(str(what,
                          ": their files were replaced. Put the earlier ones back, choose another "
                          "OutputSection::dir, or continue with RunStart::allow_changes"));
  }
  log::warn(what);
}

void Trainer::share_gradients() {
  std::vector<at::Tensor> parameters;
  for (const auto& [name, parameter] : state_->task->parameters()) {
    parameters.push_back(parameter);
  }
  group_->share_gradients(parameters);
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
  // Older ones do not say: a single process wrote them.
  state_->start_batch = checkpoint.batches >= 0
                            ? checkpoint.batches
                            : checkpoint.step * config_.train.gradient_accumulation_steps;
  state_->validation_due = checkpoint.validation_due && !state_->split.validation.empty();
  take_best(checkpoint);
  state_->window = {checkpoint.unlogged_sums, checkpoint.unlogged_steps};
  state_->told_skipped = static_cast<double>(checkpoint.skipped_steps);
  state_->skipped = at::full({}, state_->told_skipped, at::TensorOptions(device_));
  log::info(str("continuing after step ", checkpoint.step, " (", path.string(), ")"));
}

/// The best step so far, unless another metric or other images chose it.
void Trainer::take_best(const Checkpoint& checkpoint) {
  const ValidationSection& validation = config_.validation;
  if (checkpoint.best_metric == validation.best_metric &&
      checkpoint.best_images == enum_text(validation.best_images)) {
    state_->best_step = checkpoint.best_step;
    state_->best_score = checkpoint.best_score;
  } else if (checkpoint.best_step > 0) {
    log::info(str("'", (config_.output.dir / kRunBest).string(), "' was chosen by ",
                  checkpoint.best_metric, " of ", checkpoint.best_images,
                  " images; the next validation replaces it"));
  }
}

/// A new run's task sees the batch of step 0 before, the same one in every process.
void Trainer::make_loader() {
  const TrainSection& train = config_.train;
  data::LoaderOptions options{.batch_size = train.train_batch_size,
                              .seed = config_.seed,
                              .horizontal_flip = config_.data.horizontal_flip,
                              .vertical_flip = config_.data.vertical_flip,
                              .augment = config_.data.augment,
                              .num_workers = config_.data.num_workers,
                              .stride = group_->count()};
  state_->loader =
      std::make_unique<data::Loader>(state_->train, options, state_->start_batch + group_->rank());
  if (state_->start_batch == 0 && state_->task->wants_first_batch()) {
    options.num_workers = 0;
    state_->task->start(data::Loader(state_->train, options).next());
  }
}

}  // namespace leaf
