#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cached_features.h"
#include "core/cuda_graph.h"
#include "leaf/core/random.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf/train/build_model.h"
#include "models/teacher.h"
#include "networks.h"
#include "nn/recompute.h"
#include "pipeline/mask_codec.h"
#include "score_rows.h"
#include "train/task.h"
#include "train/train_step.h"

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
        codec_(config.data.classes),
        loss_options_{.diffusion = config.diffusion.loss,
                      .lambda = config.alignment.lambda,
                      .reduction = config.alignment.reduction},
        model_(build_model(config)),
        teacher_(build_teacher(config)),
        parts_(trained_parts(config, model_, teacher_.get())),
        scheduler_(config.diffusion.scheduler, device),
        frozen_([this](const at::Tensor& image,
                       const at::Tensor& mask) { return frozen_features(image, mask); },
                make_feature_store(config, [this] { return frozen_identity(); })),
        recorded_([this](const Tensors& inputs) { return step_and_gradients(inputs); }) {
    if (config.train.use_ema) {
      ema_unet_ = std::make_shared<models::UNet>(model_.unet->config());
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
                  .saved = true},
                 {.name = "vae", .module = model_.autoencoder},
                 {.name = "teacher", .module = teacher_}};
    std::erase_if(networks_, [](const TaskNetwork& network) { return network.module == nullptr; });
    place(networks_, device_);
  }

  NamedParameters parameters() override { return learned_parameters(networks_); }

  TaskLoss loss(const data::Batch& batch) override {
    const AutocastGuard autocast(device_, precision_);
    const StepLosses losses = step_losses(make_input(batch));
    return task_loss({losses.total, losses.prediction, losses.distillation});
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
    const Tensors results = recorded_(inputs);
    std::size_t i = kLosses;
    for (const auto& [name, parameter] : parameters()) {
      parameter.mutable_grad() = results[i++];
    }
    return task_loss({results[0], results[1], results[2]});
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
    EvaluationOptions wanted;
    wanted.batch_size = config_.validation.batch_size;
    wanted.overlays = options.overlays;
    wanted.overlay_folder = options.overlay_folder;
    const std::vector<metrics::ImageScore> own = evaluate(segmenter, share, wanted).scores;
    const std::vector<metrics::ImageScore> all =
        from_rows(options.gather(to_rows(own, scored_classes().size())));
    const metrics::Summary summary = metrics::summarise(all);
    set_training(networks_, true);
    Scores scores{{kScore, summary.values.front().mean},
                  {"dice_with_target", summary.with_target_mean("dice")},
                  {"both_empty", static_cast<double>(summary.both_empty)},
                  {"images", static_cast<double>(summary.count)}};
    for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
      if (metrics::all_metrics()[i].headline) {
        scores[metrics::all_metrics()[i].key] = summary.values[i].mean;
      }
    }
    add_class_scores(all, scores);
    return scores;
  }

  io::TensorMap state() override { return state_of(networks_); }
  void load_state(const io::TensorMap& state) override { leaf::load_state(networks_, state); }

  void save_model(const std::filesystem::path& folder) override {
    leaf::save_model(folder, deployed_model());
  }

 private:
  static constexpr std::size_t kLosses = 3;  ///< before the gradients in a recording's results

  /// The names of the classes beside the background, where there are several.
  std::vector<std::string> scored_classes() const {
    std::vector<std::string> names = data::class_names(config_.data.classes);
    names.erase(names.begin(), config_.data.classes.several() ? names.begin() + 1 : names.end());
    return names;
  }

  /// dice_NAME, iou_NAME of each of several classes.
  void add_class_scores(const std::vector<metrics::ImageScore>& all, Scores& scores) const {
    const std::vector<std::string> names = scored_classes();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const metrics::Summary summary = metrics::summarise(metrics::scores_of_class(all, i));
      for (const metrics::Metric& metric : metrics::all_metrics()) {
        if (metric.headline) {
          scores[leaf::str(metric.key, "_", names[i])] = summary.of(metric.key).mean;
        }
      }
    }
  }

  StepLosses step_losses(const StepInput& input) const {
    return compute_losses(parts_, scheduler_, input, loss_options_);
  }

  /// losses: total, prediction, distillation; the last may be undefined.
  static TaskLoss task_loss(const Tensors& losses) {
    TaskLoss result{.total = losses[0], .parts = {{"loss_prediction", losses[1]}}};
    if (losses[2].defined()) {
      result.parts["loss_distillation"] = losses[2];
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
    Tensors results{losses.total.detach(), losses.prediction.detach(),
                    losses.distillation.defined() ? losses.distillation.detach() : at::Tensor()};
    for (const auto& [name, parameter] : learned) {
      results.push_back(parameter.grad());
    }
    return results;
  }

  /// What inference uses: the averaged U-Net where there is one.
  TrainingModel deployed_model() const {
    TrainingModel model = model_;
    if (ema_unet_) {
      model.unet = ema_unet_;
    }
    return model;
  }

  StepInput make_input(const data::Batch& batch) {
    const at::NoGradGuard no_grad;
    const FrozenFeatures frozen = frozen_.of(batch.images, batch.masks);
    StepInput input;
    input.images = to_device(batch.images, device_).contiguous(at::MemoryFormat::ChannelsLast);
    input.mask_latents =
        to_device(frozen.mask_latents, device_).contiguous(at::MemoryFormat::ChannelsLast);
    if (frozen.teacher_tokens.defined()) {
      input.teacher_tokens = to_device(frozen.teacher_tokens, device_);
    }
    draw_noise(batch.step, input);
    return input;
  }

  /// image [1, 3, R, R], mask [1, 1, R, R] -> what the frozen networks make of them.
  FrozenFeatures frozen_features(const at::Tensor& image, const at::Tensor& mask) const {
    const auto placed = [&](const at::Tensor& t) {
      return to_device(t, device_).contiguous(at::MemoryFormat::ChannelsLast);
    };
    FrozenFeatures features;
    features.mask_latents = model_.autoencoder->encoder()
                                ->encode(codec_.to_image(to_device(mask, device_)))
                                .to(at::kFloat);
    if (teacher_) {
      const std::int64_t side = features.mask_latents.size(2) / 2;
      features.teacher_tokens = teacher_->tokens(placed(image), side);
    }
    return features;
  }

  /// How labels become the mask's image, where there is more than one way.
  std::string coding_identity() const {
    const data::MaskClasses& classes = config_.data.classes;
    return classes.several()
               ? leaf::str(", ", classes.list.size(), " classes as ", enum_text(classes.coding))
               : "";
  }

  /// Everything that those values follow from besides image and mask.
  std::string frozen_identity() const {
    const models::AutoencoderConfig& autoencoder = config_.model.autoencoder;
    return leaf::str("leaf ", version(), ", LibTorch ", TORCH_VERSION, ", ", device_.type(), " ",
                     at::get_cpu_capability(), ", ", at::get_num_threads(), " threads, ",
                     enum_text(precision_), ", ", config_.data.resolution, " pixels, autoencoder ",
                     enum_text(autoencoder.type), " ", autoencoder.scaling_factor, " ",
                     weights_hash(*model_.autoencoder), ", teacher ",
                     teacher_ ? config_.alignment.teacher + " " + weights_hash(*teacher_) : "none",
                     coding_identity());
  }

  /// Timestep and noise of every sample: functions of (seed, step, index in the batch).
  void draw_noise(std::int64_t step, StepInput& input) const {
    const auto shape = input.mask_latents.sizes();
    at::Tensor timesteps = at::empty({shape[0]}, at::kLong);
    std::vector<at::Tensor> noise;
    for (std::int64_t i = 0; i < shape[0]; ++i) {
      RandomStream stream(config_.seed, Purpose::kTimestep, step, i);
      timesteps[i] =
          static_cast<std::int64_t>(stream.below(config_.diffusion.scheduler.num_train_timesteps));
      noise.push_back(
          normal_tensor(shape.slice(1), RandomStream(config_.seed, Purpose::kNoise, step, i)));
    }
    input.timesteps = to_device(timesteps, device_);
    input.noise = to_device(at::stack(noise), device_).contiguous(at::MemoryFormat::ChannelsLast);
  }

  Config config_;
  c10::Device device_;
  Precision precision_;
  MaskCodec codec_;
  LossOptions loss_options_;
  TrainingModel model_;
  std::shared_ptr<models::Teacher> teacher_;  ///< null without alignment
  TrainedParts parts_;
  std::shared_ptr<models::UNet> ema_unet_;  ///< null without train.use_ema
  TaskNetworks networks_;
  diffusion::NoiseScheduler scheduler_;
  CachedFeatures frozen_;
  RecordedFunction recorded_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_segmentation_task(const Config& config, c10::Device device) {
  return std::make_unique<SegmentationTask>(config, device);
}

}  // namespace leaf
