#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "data/loader.h"
#include "leaf/config/config.h"
#include "leaf/core/device.h"
#include "leaf/data/dataset.h"
#include "leaf/train/trainer.h"
#include "stage_times.h"
#include "train/optimizer.h"

namespace leaf {

/// One micro-batch's loss to minimise, and scalars (still on the device) to report.
struct TaskLoss {
  at::Tensor total;
  std::map<std::string, at::Tensor> parts;
};

struct ValidationOptions {
  /// Makes rows of numbers, double [n, k], one per image that this process has scored, those of all
  /// images in order.
  std::function<at::Tensor(const at::Tensor& rows)> gather = [](const at::Tensor& rows) {
    return rows;
  };
  /// Pictures of results to leave, and where, as NAME.jpg or NAME.png.
  std::int64_t overlays = 0;
  std::filesystem::path overlay_folder;
};

/// What is learned: the networks, their loss and their validation. The Trainer owns everything else
/// (data order, optimizer, schedule, checkpoints).
class TrainingTask {
 public:
  virtual ~TrainingTask() = default;

  /// The parameters that the optimizer updates, named as in checkpoints.
  virtual NamedParameters parameters() = 0;

  /// Called before the first step of a new run, where the task asks for its batch
  /// (wants_first_batch).
  virtual void start(const data::Batch& /*first*/) {}
  virtual bool wants_first_batch() const { return false; }

  /// The loss of one batch. Random draws are addressed by batch.step and the index in the batch.
  virtual TaskLoss loss(const data::Batch& batch) = 0;

  /// Adds the gradients of that loss, divided by `batches`, to the parameters'; returns the loss.
  virtual TaskLoss add_gradients(const data::Batch& batch, std::int64_t batches);

  /// Called after the optimizer's update number `update` (from 1).
  virtual void after_update(std::int64_t update) = 0;

  /// Scores on a data set, or this process's share of it; `kScore` is the one that decides which
  /// model is best.
  virtual Scores validate(const data::Dataset& share, const ValidationOptions& options) = 0;

  /// Whether a model of that `kScore` is better than the best one so far.
  virtual bool is_better(double score, double best) const { return score > best; }

  /// Of the weights that do not learn, which no checkpoint holds; empty without any.
  virtual std::string frozen_hash() const { return {}; }

  /// Everything but the optimizer that a resume needs; load_state restores it (WeightsError).
  virtual io::TensorMap state() = 0;
  virtual void load_state(const io::TensorMap& state) = 0;

  /// Writes a model folder, complete or not at all.
  virtual void save_model(const std::filesystem::path& folder) = 0;

  StageTimes& stage_times() { return stage_times_; }

 private:
  StageTimes stage_times_;
};

/// The task that the configuration asks for, with its starting weights.
std::unique_ptr<TrainingTask> make_task(const Config& config, c10::Device device);
std::unique_ptr<TrainingTask> make_segmentation_task(const Config& config, c10::Device device);
std::unique_ptr<TrainingTask> make_autoencoder_task(const Config& config, c10::Device device);
std::unique_ptr<TrainingTask> make_distill_task(const Config& config, c10::Device device);

}  // namespace leaf
