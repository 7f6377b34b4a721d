// Optimizer steps against the published implementation: losses, gradient norms, updates and EMA.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "models/autoencoder_kl.h"
#include "nn/module.h"
#include "support/golden.h"
#include "support/test_device.h"
#include "train/optimizer.h"
#include "train/train_step.h"

namespace leaf {
namespace {

struct Recipe {
  std::string file;
  double learning_rate;
  double weight_decay;
  double max_grad_norm;
  std::int64_t warmup_steps;
  std::int64_t steps;

  double rate_of(std::int64_t step) const {
    TrainSection train;
    train.learning_rate = learning_rate;
    train.num_warmup_steps = warmup_steps;
    return learning_rate_at(train, step);
  }
};

void expect_near(double ours, double theirs, const std::string& name) {
  const double tolerance = std::max(1e-7, test::kFloat32Tolerance.network * std::abs(theirs));
  EXPECT_NEAR(ours, theirs, tolerance) << name;
  std::cout << "  " << name << "  " << ours << " (published " << theirs << ")\n";
}

class TrainingReplay {
 public:
  TrainingReplay(const std::filesystem::path& folder, const Recipe& recipe)
      : recipe_(recipe),
        golden_(io::read_safetensors(folder / recipe.file)),
        inputs_(io::read_safetensors(folder / "activations.safetensors")),
        scheduler_({}, test::test_device()) {
    models::AutoencoderConfig autoencoder{.ch = 32, .ch_mult = {1, 1, 2, 2}};
    parts_.unet = std::make_shared<models::UNet>(
        models::UNetConfig{.model_channels = 32, .channel_mult = {1, 1, 2, 2, 2}, .dropout = 0.0});
    parts_.latent_encoder = models::make_latent_encoder(autoencoder, /*dropout=*/0.0);
    parts_.projector = std::make_shared<models::FeatureProjector>(32, 64, 48);
    parts_.tap = models::alignment_tap(parts_.unet->config()).name;
    test::fill_by_formula(*parts_.unet, "unet.");
    test::fill_by_formula(*parts_.latent_encoder, "latent_encoder.");
    test::fill_by_formula(*parts_.projector, "projector.");
    for (torch::nn::Module* module : {static_cast<torch::nn::Module*>(parts_.unet.get()),
                                      static_cast<torch::nn::Module*>(parts_.latent_encoder.get()),
                                      static_cast<torch::nn::Module*>(parts_.projector.get())}) {
      module->to(test::test_device());
      nn::to_channels_last(*module);
    }
    collect(*parts_.unet, "unet.");
    collect(*parts_.projector, "projector.");
    collect(*parts_.latent_encoder, "latent_encoder.");
    for (const at::Tensor& parameter : parts_.unet->parameters()) {
      average_.push_back(parameter.detach().clone());
    }
  }

  void run() {
    AdamW optimizer(parameters_, {.weight_decay = recipe_.weight_decay});
    for (std::int64_t k = 0; k < recipe_.steps; ++k) {
      step(optimizer, k);
    }
    double worst = 0.0;
    const io::TensorMap updates = io::strip_prefix(golden_, "update.");
    ASSERT_FALSE(updates.empty());
    const std::map<std::string, at::Tensor> trained(parameters_.begin(), parameters_.end());
    for (const auto& [name, update] : updates) {
      const double error =
          test::relative_error((trained.at(name).detach() - initial_.at(name)).cpu(), update);
      worst = std::max(worst, error);
      EXPECT_LE(error, test::kFloat32Tolerance.update) << "update." << name;
    }
    std::cout << "  largest relative error of " << updates.size() << " updates: " << worst << "\n";
  }

 private:
  void collect(torch::nn::Module& module, const std::string& prefix) {
    for (const auto& item : module.named_parameters()) {
      parameters_.emplace_back(prefix + item.key(), item.value());
      initial_[prefix + item.key()] = item.value().detach().clone();
    }
  }

  at::Tensor golden(const std::string& name, std::int64_t k) const {
    return golden_.at(name + "." + std::to_string(k));
  }

  static at::Tensor on_device(const at::Tensor& t) { return t.to(test::test_device()); }

  void step(AdamW& optimizer, std::int64_t k) {
    const auto scalar = [&](const char* name) { return golden(name, k).item<double>(); };
    const auto label = [&](const char* name) {
      return name + std::string(".") + std::to_string(k);
    };
    const StepInput input{.images = on_device(inputs_.at("input.image")),
                          .mask_latents = on_device(inputs_.at("vae.mask_latent")),
                          .noise = on_device(golden("noise", k)),
                          .timesteps = on_device(golden("timestep", k)),
                          .teacher_tokens = on_device(golden("teacher", k))};
    const StepLosses losses = compute_losses(parts_, scheduler_, input, {.lambda = 0.75});
    expect_near(losses.prediction.item<double>(), scalar("loss.pred"), label("loss.pred"));
    expect_near(losses.distillation.item<double>(), scalar("loss.distill"), label("loss.distill"));
    expect_near(losses.total.item<double>(), scalar("loss.total"), label("loss.total"));
    optimizer.zero_grad();
    losses.total.backward();
    expect_near(optimizer.clip_gradients(recipe_.max_grad_norm).item<double>(), scalar("grad_norm"),
                label("grad_norm"));
    const double rate = recipe_.rate_of(k);
    expect_near(rate, scalar("lr"), label("lr"));
    optimizer.step(rate);
    update_average(average_, parts_.unet->parameters(), ema_decay(0.9999, k + 1));
    expect_ema(k);
  }

  void expect_ema(std::int64_t k) const {
    const auto names = parts_.unet->named_parameters().keys();
    const auto index = std::find(names.begin(), names.end(), "out.2.weight") - names.begin();
    const at::Tensor update = (average_[index] - initial_.at("unet.out.2.weight")).cpu();
    const at::Tensor expected = golden("ema_update.unet.out.2.weight", k);
    if (expected.norm().item<double>() < 1e-7) {
      EXPECT_LE(update.norm().item<double>(), 1e-7);
    } else {
      EXPECT_LE(test::relative_error(update, expected), test::kFloat32Tolerance.update)
          << "ema_update step " << k;
    }
  }

  Recipe recipe_;
  io::TensorMap golden_, inputs_, initial_;
  diffusion::NoiseScheduler scheduler_;
  TrainedParts parts_;
  NamedParameters parameters_;
  std::vector<at::Tensor> average_;
};

}  // namespace

TEST(GoldenTraining, PublishedRecipe) {
  TrainingReplay(test::golden_fixture(), {.file = "train_steps.safetensors",
                                          .learning_rate = 4e-5,
                                          .weight_decay = 0.01,
                                          .max_grad_norm = 1.0,
                                          .warmup_steps = 2,
                                          .steps = 3})
      .run();
}

TEST(GoldenTraining, SensitiveRecipe) {
  const auto folder = test::golden_folder("small");
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder 'small'";
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(2);  // five such steps magnify what sums of one thread have in another order
  TrainingReplay(*folder, {.file = "train_steps_sensitive.safetensors",
                           .learning_rate = 1e-3,
                           .weight_decay = 0.5,
                           .max_grad_norm = 0.05,
                           .warmup_steps = 1,
                           .steps = 5})
      .run();
  at::set_num_threads(threads);
}

}  // namespace leaf
