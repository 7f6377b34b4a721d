#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cached_features.h"
#include "core/cuda_graph.h"
#include "frozen_networks.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf/train/build_model.h"
#include "model_validation.h"
#include "models/autoencoder_kl.h"
#include "models/teacher.h"
#include "networks.h"
#include "nn/recompute.h"
#include "train/task.h"
#include "train/train_step.h"
#include "validation_scores.h"

namespace leaf {
namespace {

TrainedParts trained_parts(const Config& config, const Model& model,
                           const models::Teacher* teacher) {
  const models::AlignmentTap tap = models::alignment_tap(model.unet->config());
  TrainedParts parts{.unet = model.unet,
                     .latent_encoder = model.latent_encoder,
                     .projector = nullptr,
                     .tap = tap.name};
  if (teacher != nullptr) {
    parts.projector = std::make_shared<models::FeatureProjector>(
        tap.channels, config.alignment.projector_dim, teacher->width());
    nn::initialise(*parts.projector, config.seed);
  }
  return parts;
}

/// LEAF: the U-Net, the latent encoder and the projector learn; autoencoder and teacher are frozen.
class SegmentationTask : public TrainingTask {
 public:
  SegmentationTask(const Config& config, c10::Device device)
      : config_(config),
        device_(device),
        precision_(config.train.mixed_precision),
        loss_options_{.diffusion = config.diffusion.loss,
                      .lambda = config.alignment.lambda,
                      .reduction = config.alignment.reduction},
        model_(build_model(config)),
        teacher_(build_teacher(config)),
        parts_(trained_parts(config, model_, teacher_.get())),
        scheduler_(config.diffusion.scheduler, device),
        frozen_(config, device, model_.autoencoder, teacher_),
        features_([this](const at::Tensor& images,
                         const at::Tensor& masks) { return frozen_.features(images, masks); },
                  make_feature_store(config, [this] { return frozen_.identity(); }),
                  frozen_.group()),
        recorded_([this](const Tensors& inputs) { return step_and_gradients(inputs); }) {
    if (config.train.use_ema) {
      ema_unet_ = std::make_shared<models::UNet>(model_.unet->config());
    }
    if (config.train.use_ema && config.train.ema_latent_encoder &&
        config.train.train_latent_encoder) {
      ema_latent_encoder_ = models::make_latent_encoder(config.model.autoencoder, /*dropout=*/0);
    }
    if (config.train.gradient_checkpointing) {
      nn::recompute_blocks(*model_.unet);
      nn::recompute_blocks(*model_.latent_encoder);
    }
    networks_ = {{.name = "unet",
                  .module = parts_.unet,
                  .learned = true,
                  .saved = true,
                  .average = ema_unet_},
                 {.name = "projector", .module = parts_.projector, .learned = true, .saved = true},
                 {.name = "latent_encoder",
                  .module = parts_.latent_encoder,
                  .learned = config.train.train_latent_encoder,
                  .saved = true,
                  .average = ema_latent_encoder_},
                 {.name = "vae", .module = model_.autoencoder},
                 {.name = "teacher", .module = teacher_}};
    std::erase_if(networks_, [](const TaskNetwork& network) { return network.module == nullptr; });
    place(networks_, device_);
    frozen_.round_weights();
  }

  NamedParameters parameters() override { return learned_parameters(networks_); }

  std::string frozen_hash() const override { return leaf::frozen_hash(networks_); }

  bool wants_first_batch() const override { return config_.model.scale_by_std; }

  void start(const data::Batch& first) override {
    const at::NoGradGuard no_grad;
    const AutocastGuard autocast(device_, precision_);
    const double deviation =
        frozen_.latents(features_.of(first.images, first.masks), first.step).std().item<double>();
    if (!(deviation > 0)) {
      throw DataError(
          "ModelSection::scale_by_std: the latents of the first batch's masks are all the "
          "same; set it to false");
    }
    const double factor = config_.model.autoencoder.scaling_factor / deviation;
    log::info(str("latents are multiplied by ", factor, " (ModelSection::scale_by_std)"));
    set_scaling_factor(factor);
  }

  TaskLoss loss(const data::Batch& batch) override {
    const AutocastGuard autocast(device_, precision_);
    const StepInput input = make_input(batch);
    stage_times().done("frozen networks");
    const StepLosses losses = step_losses(input);
    return task_loss(losses);
  }

  /// With train.cuda_graph, the forward and backward pass as one recording.
  TaskLoss add_gradients(const data::Batch& batch, std::int64_t batches) override {
    if (!config_.train.cuda_graph || batches > 1) {
      return TrainingTask::add_gradients(batch, batches);
    }
    const StepInput input = autocast_input(batch);
    Tensors inputs{input.images, input.mask_latents, input.noise, input.timesteps};
    if (input.teacher_tokens.defined()) {
      inputs.push_back(input.teacher_tokens);
    }
    stage_times().done("frozen networks");
    const Tensors results = recorded_(inputs);
    std::size_t i = kLosses;
    for (const auto& [name, parameter] : parameters()) {
      parameter.mutable_grad() = results[i++];
    }
    stage_times().done("forward and backward");
    return task_loss({.prediction = results[1],
                      .latent = results[2],
                      .distillation = results[3],
                      .total = results[0]});
  }

  void after_update(std::int64_t update) override {
    update_averages(networks_, ema_decay(config_.train.ema_decay, update));
  }

  Scores validate(const data::Dataset& share, const ValidationOptions& options) override {
    set_training(networks_, false);
    const Segmenter segmenter(deployed_model(),
                              {.device = device_,
                               .precision = precision_,
                               .num_inference_steps = config_.validation.num_inference_steps});
    Scores scores = validate_model(segmenter, config_, share, options);
    set_training(networks_, true);
    return scores;
  }

  bool is_better(double score, double best) const override {
    return leaf::is_better(score, best, config_.validation);
  }

  io::TensorMap state() override {
    io::TensorMap state = state_of(networks_);
    if (config_.model.scale_by_std) {
      state[kScalingFactor] =
          at::scalar_tensor(model_.description.autoencoder.scaling_factor, at::kDouble);
    }
    return state;
  }

  void load_state(const io::TensorMap& state) override {
    leaf::load_state(networks_, state);
    if (!config_.model.scale_by_std) {
      return;
    }
    const auto factor = state.find(kScalingFactor);
    if (factor == state.end()) {
      throw WeightsError(str("the checkpoint has no '", kScalingFactor, "'"));
    }
    set_scaling_factor(factor->second.item<double>());
  }

  void save_model(const std::filesystem::path& folder) override {
    leaf::save_model(folder, deployed_model());
  }

 private:
  static constexpr std::size_t kLosses = 4;  ///< before the gradients in a recording's results
  static constexpr const char* kScalingFactor = "latent_scaling_factor";  ///< in a checkpoint

  /// What is said of latents, and done to them, from now on. The frozen encoder's stay as they are,
  /// so that what is kept of them does; make_input scales them.
  void set_scaling_factor(double factor) {
    model_.description.autoencoder.scaling_factor = factor;
    latent_scale_ = factor / config_.model.autoencoder.scaling_factor;
    for (const auto& encoder : {model_.latent_encoder, ema_latent_encoder_}) {
      if (const auto kl = std::dynamic_pointer_cast<models::KlLatentEncoder>(encoder)) {
        kl->set_scaling_factor(factor);
      }
    }
    const auto decoder = model_.autoencoder->decoder();
    std::dynamic_pointer_cast<models::KlLatentDecoder>(decoder)->set_scaling_factor(factor);
  }

  StepLosses step_losses(const StepInput& input) const {
    return compute_losses(parts_, scheduler_, input, loss_options_);
  }

  static TaskLoss task_loss(const StepLosses& losses) {
    TaskLoss result{.total = losses.total, .parts = {{"loss_prediction", losses.prediction}}};
    if (losses.latent.defined()) {
      result.parts["loss_latent"] = losses.latent;
    }
    if (losses.distillation.defined()) {
      result.parts["loss_distillation"] = losses.distillation;
    }
    return result;
  }

  StepInput autocast_input(const data::Batch& batch) {
    const AutocastGuard autocast(device_, precision_);
    return make_input(batch);
  }

  /// A step's inputs -> its losses, then the gradients of parameters() in their order.
  Tensors step_and_gradients(const Tensors& inputs) {
    const NamedParameters learned = parameters();
    for (const auto& [name, parameter] : learned) {
      parameter.mutable_grad().reset();
    }
    StepLosses losses;
    {
      const AutocastGuard autocast(device_, precision_);
      losses = step_losses({.images = inputs[0],
                            .mask_latents = inputs[1],
                            .noise = inputs[2],
                            .timesteps = inputs[3],
                            .teacher_tokens = inputs.size() > 4 ? inputs[4] : at::Tensor()});
    }
    losses.total.backward();
    Tensors results;
    for (const at::Tensor& term :
         {losses.total, losses.prediction, losses.latent, losses.distillation}) {
      results.push_back(term.defined() ? term.detach() : term);
    }
    for (const auto& [name, parameter] : learned) {
      results.push_back(parameter.grad());
    }
    return results;
  }

  /// What inference uses: averages where there are such.
  TrainingModel deployed_model() const {
    TrainingModel model = model_;
    if (ema_unet_) {
      model.unet = ema_unet_;
    }
    if (ema_latent_encoder_) {
      model.latent_encoder = ema_latent_encoder_;
    }
    return model;
  }

  StepInput make_input(const data::Batch& batch) {
    const at::NoGradGuard no_grad;
    const Features frozen = features_.of(batch.images, batch.masks);
    at::Tensor latents = frozen_.latents(frozen, batch.step);
    if (config_.model.scale_by_std) {
      latents = latents * latent_scale_;
    }
    StepInput input;
    input.images = to_device(batch.images, device_).contiguous(at::MemoryFormat::ChannelsLast);
    input.mask_latents = to_device(latents, device_).contiguous(at::MemoryFormat::ChannelsLast);
    if (frozen[kTeacherTokens].defined()) {
      input.teacher_tokens = to_device(frozen[kTeacherTokens], device_);
    }
    draw_noise(config_.seed, batch.step, config_.diffusion, input);
    return input;
  }

  Config config_;
  c10::Device device_;
  Precision precision_;
  LossOptions loss_options_;
  TrainingModel model_;
  std::shared_ptr<models::Teacher> teacher_;  ///< null without alignment
  TrainedParts parts_;
  std::shared_ptr<models::UNet> ema_unet_;                     ///< null without train.use_ema
  std::shared_ptr<models::LatentEncoder> ema_latent_encoder_;  ///< null without its key
  TaskNetworks networks_;
  diffusion::NoiseScheduler scheduler_;
  FrozenNetworks frozen_;
  CachedFeatures features_;
  double latent_scale_ = 1;  ///< of the frozen encoder's latents (scale_by_std)
  RecordedFunction recorded_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_segmentation_task(const Config& config, c10::Device device) {
  return std::make_unique<SegmentationTask>(config, device);
}

}  // namespace leaf
