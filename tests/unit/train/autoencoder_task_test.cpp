#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/train/build_model.h"
#include "models/autoencoder.h"
#include "support/equal_tensors.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"
#include "train/task.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::expect_equal;

Config autoencoder_config(ModelInit init = ModelInit::kPretrained) {
  Config config;
  config.task = Task::kAutoencoder;
  config.model.init = init;
  config.model.autoencoder = test::small_kl();
  config.model.unet = test::small_unet();
  config.data.resolution = 16;
  return config;
}

/// The autoencoder's weights in a task's state.
io::TensorMap weights(TrainingTask& task) { return io::strip_prefix(task.state(), "vae."); }

void expect_starts_from(const Config& config, const io::TensorMap& expected) {
  expect_equal(weights(*make_autoencoder_task(config, c10::kCPU)), expected);
}

/// The weights that a task saves as a model.
io::TensorMap saved(TrainingTask& task) {
  const test::TemporaryFolder folder;
  task.save_model(folder / "model");
  return io::read_weights(folder / "model" / "vae");
}

}  // namespace

TEST(AutoencoderTask, StartsWhereASegmentationModelWould) {
  const test::TemporaryFolder folder;
  Config other = autoencoder_config(ModelInit::kRandom);
  other.seed += 1;
  const TrainingModel model = build_model(other);
  const io::TensorMap expected = io::state_dict(*model.autoencoder);
  save_autoencoder(folder / "start", *model.autoencoder, other.model.autoencoder);
  io::TensorMap halves[2];
  for (const auto& [name, tensor] : expected) {
    halves[name.starts_with("encoder.") || name.starts_with("quant_conv.") ? 0 : 1].emplace(name,
                                                                                            tensor);
  }
  io::write_safetensors(folder / "a.safetensors", halves[0]);
  io::write_safetensors(folder / "b.safetensors", halves[1]);

  Config config = autoencoder_config();
  for (const fs::path& path : {folder / "start", folder / "start" / "vae"}) {
    config.model.autoencoder_weights = {path};
    expect_starts_from(config, expected);
  }
  config.model.autoencoder_weights = {folder / "a.safetensors", folder / "b.safetensors"};
  expect_starts_from(config, expected);
  config.model.autoencoder_weights.clear();
  config.model.pretrained = folder / "start";
  expect_starts_from(config, expected);
}

TEST(AutoencoderTask, StartsAtRandomWhereNothingIsNamed) {
  const auto random = make_autoencoder_task(autoencoder_config(ModelInit::kRandom), c10::kCPU);
  expect_starts_from(autoencoder_config(), weights(*random));
}

TEST(AutoencoderTask, AResumeKeepsTheMeasuredScale) {
  const test::TemporaryFolder folder;
  test::write_pair(folder.path(), "0001");
  const Config config = autoencoder_config(ModelInit::kRandom);
  const data::Pair pair{
      .image = folder / "images/0001.png", .mask = folder / "masks/0001.png", .name = "0001"};
  const data::Dataset dataset({pair}, config.data);
  const auto task = make_autoencoder_task(config, c10::kCPU);
  EXPECT_GT(task->validate(dataset, {}).at("latent_rms"), 0.0);
  const auto resumed = make_autoencoder_task(config, c10::kCPU);
  resumed->load_state(task->state());
  expect_equal(saved(*resumed), saved(*task));

  io::TensorMap state = task->state();
  state.erase("latent_rms");
  EXPECT_THROW(resumed->load_state(state), WeightsError);
}

TEST(AutoencoderTask, ASamplesNoiseDoesNotDependOnTheBatch) {
  const at::NoGradGuard no_gradients;
  const auto task = make_autoencoder_task(autoencoder_config(ModelInit::kRandom), c10::kCPU);
  const at::Tensor images = test::images(2, 16, 16);
  const at::Tensor masks = (images.narrow(1, 0, 1) > 0.5).to(at::kFloat);
  // The sum over the samples of a batch of the reconstruction's error.
  const auto error = [&](const std::vector<std::int64_t>& samples) {
    data::Batch batch;
    batch.images = images.index_select(0, at::tensor(samples));
    batch.masks = masks.index_select(0, at::tensor(samples));
    return task->loss(batch).parts.at("loss_reconstruction").item<double>() *
           static_cast<double>(samples.size());
  };
  // What the second of two adds, whatever the first is.
  EXPECT_NEAR(error({0, 1}) - error({0}), error({1, 1}) - error({1}), 1e-5);
}

}  // namespace leaf
