#include "train/task.h"

#include <ATen/ATen.h>

namespace leaf {

std::unique_ptr<TrainingTask> make_task(const Config& config, c10::Device device) {
  switch (config.task) {
    case Task::kAutoencoder:
      return make_autoencoder_task(config, device);
    case Task::kDistill:
      return make_distill_task(config, device);
    case Task::kSegmentation:
      break;
  }
  return make_segmentation_task(config, device);
}

TaskLoss TrainingTask::add_gradients(const data::Batch& batch, std::int64_t batches) {
  const TaskLoss result = loss(batch);
  stage_times_.done("forward");
  (result.total / batches).backward();
  stage_times_.done("backward");
  return result;
}

}  // namespace leaf
