#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cached_features.h"
#include "distill_step.h"
#include "feature_store.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "leaf/pipeline/evaluation.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/segmenter.h"
#include "light_model.h"
#include "model_validation.h"
#include "models/autoencoder_tiny.h"
#include "models/unet.h"
#include "networks.h"
#include "nn/recompute.h"
#include "pipeline/mask_codec.h"
#include "train/task.h"
#include "validation_scores.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUpdates = "updates";  // in a checkpoint

/// A light model from a trained one, the teacher, which stays as it is.
class DistillTask : public TrainingTask {
 public:
  DistillTask(const Config& config, c10::Device device)
      : DistillTask(config, device, find_model_folder(config.model.teacher)) {}

  NamedParameters parameters() override { return learned_parameters(networks_); }

  std::string frozen_hash() const override { return leaf::frozen_hash(networks_); }

  TaskLoss loss(const data::Batch& batch) override {
    const AutocastGuard autocast(device_, config_.train.mixed_precision);
    const DistillInput input = make_input(batch.images, batch.masks, stage());
    const DistillTargets targets = targets_of(batch);
    stage_times().done("frozen networks");
    return distill_losses(parts_, sampling(), input, targets, stage(), config_.distill);
  }

  void after_update(std::int64_t update) override {
    update_averages(networks_, ema_decay(config_.train.ema_decay, update));
    set_updates(update);
    if (update == config_.distill.halves_steps) {
      log::info(str("step ", update, ": from now on the networks learn as one"));
    }
  }

  Scores validate(const data::Dataset& share, const ValidationOptions& options) override {
    set_training(networks_, false);
    const auto count = static_cast<std::int64_t>(share.size());
    const at::Tensor own = at::empty({count, 2}, at::kDouble);
    const auto compare = [&](std::size_t index, const at::Tensor& labels,
                             const at::Tensor& ignored) {
      const TeacherMask& teachers = teacher_mask(share, index);
      const at::Tensor row = own[static_cast<std::int64_t>(index)];
      row[0] = mask_agreement(labels, teachers.labels, classes(), ignored);
      row[1] = teachers.dice;
    };
    Scores scores =
        validate_model(segmenter_of(deployed_model()), config_, share, options, compare);
    set_training(networks_, true);
    const at::Tensor all = options.gather(own).nanmean(0);  // without images that are ignored whole
    scores["agreement"] = all[0].item<double>();
    scores["teacher_dice"] = all[1].item<double>();
    return scores;
  }

  bool is_better(double score, double best) const override {
    return leaf::is_better(score, best, config_.validation);
  }

  io::TensorMap state() override {
    io::TensorMap state = state_of(networks_);
    state[kUpdates] = at::scalar_tensor(updates_, at::kLong);
    return state;
  }

  void load_state(const io::TensorMap& state) override {
    leaf::load_state(networks_, state);
    const auto updates = state.find(kUpdates);
    if (updates == state.end()) {
      throw WeightsError(str("the checkpoint has no '", kUpdates, "'"));
    }
    set_updates(updates->second.item<std::int64_t>());
  }

  void save_model(const fs::path& folder) override { leaf::save_model(folder, deployed_model()); }

 private:
  /// What the teacher makes of an image, and how that fits the truth.
  struct TeacherMask {
    at::Tensor labels;  ///< uint8 [R, R]
    double dice = 0;
  };

  DistillTask(const Config& config, c10::Device device, const fs::path& teacher)
      : config_(config),
        device_(device),
        teacher_(load_training_model(teacher)),
        codec_(classes()),
        light_(make_light(config, teacher_, teacher)),
        scheduler_(teacher_.description.scheduler, device),
        features_(make_features()) {
    parts_ = {.image_encoder = light_.latent_encoder,
              .mask_encoder = light_.autoencoder->encoder(),
              .unet = light_.unet,
              .decoder = std::dynamic_pointer_cast<models::TinyLatentDecoder>(light_.decoder),
              .learns_unet = config.distill.unet != DistilledUNet::kTeacher};
    if (config.train.gradient_checkpointing && parts_.learns_unet) {
      nn::recompute_blocks(*light_.unet);
    }
    average_ = light_;
    if (config.train.use_ema) {
      add_averages();
    }
    list_networks();
    place(networks_, device_);
    set_updates(0);
  }

  static TrainingModel make_light(const Config& config, const TrainingModel& teacher,
                                  const fs::path& folder) {
    TrainingModel light = make_light_model(config, teacher);
    light.description.distilled_from =
        Origin{.model = config.model.teacher.string(), .sha256 = model_sha256(folder)};
    return light;
  }

  CachedFeatures make_features() {
    return {
        [this](const at::Tensor& images, const at::Tensor& masks) { return teach(images, masks); },
        make_feature_store(config_, [this] { return identity(); }), group()};
  }

  /// How many samples the teacher gets at a time. On a CPU it is as fast with one, and a group of
  /// which one is missing is computed whole.
  std::int64_t group() const {
    return device_.is_cpu() ? 1 : CachedFeatures::group_size(config_.train.train_batch_size);
  }

  void add_averages() {
    const models::AutoencoderConfig& shape = light_.description.autoencoder;
    average_.latent_encoder = models::make_latent_encoder(shape, /*dropout=*/0);
    average_.autoencoder = models::make_autoencoder(shape);
    average_.decoder = average_.autoencoder->decoder();
    if (parts_.learns_unet) {
      average_.unet = std::make_shared<models::UNet>(light_.description.unet);
    }
  }

  void list_networks() {
    const auto learned = [&](const std::string& name, const auto& module, const auto& average) {
      networks_.push_back({.name = name,
                           .module = module,
                           .learned = true,
                           .saved = true,
                           .average = module == average ? nullptr : average});
    };
    learned("latent_encoder", light_.latent_encoder, average_.latent_encoder);
    learned("vae", light_.autoencoder, average_.autoencoder);
    if (parts_.learns_unet) {
      learned("unet", light_.unet, average_.unet);
    }
    networks_.push_back({.name = "teacher_latent_encoder", .module = teacher_.latent_encoder});
    networks_.push_back({.name = "teacher_vae", .module = teacher_.autoencoder});
    networks_.push_back({.name = "teacher_unet", .module = teacher_.unet});
    if (teacher_.description.decoder) {
      networks_.push_back({.name = "teacher_decoder", .module = teacher_.decoder});
    }
  }

  const data::MaskClasses& classes() const { return teacher_.description.preprocessing.classes; }

  void set_updates(std::int64_t updates) {
    updates_ = updates;
    const auto all = static_cast<double>(std::max<std::int64_t>(1, config_.distill.halves_steps));
    parts_.light_share = std::min(1.0, static_cast<double>(updates) / all);
    // Inference does without it: the second stage, where most of the steps are, spares it.
    for (const at::Tensor& parameter : parts_.mask_encoder->parameters()) {
      parameter.set_requires_grad(stage() == DistillStage::kHalves);
    }
  }

  bool has_halves() const { return config_.distill.halves_steps > 0; }

  DistillStage stage() const {
    return updates_ < config_.distill.halves_steps ? DistillStage::kHalves : DistillStage::kJoint;
  }

  Sampling sampling() const {
    const std::int64_t stated = teacher_.description.preprocessing.num_inference_steps;
    return {.scheduler = scheduler_, .steps = std::max<std::int64_t>(1, stated)};
  }

  /// What inference uses.
  const TrainingModel& deployed_model() const { return average_; }

  Segmenter segmenter_of(const Model& model) const {
    return {model, {.device = device_, .precision = config_.train.mixed_precision}};
  }

  /// Computed once: the teacher does not change, and is slower than what it teaches.
  const TeacherMask& teacher_mask(const data::Dataset& share, std::size_t index) {
    const data::Pair& pair = share.pairs()[index];
    TeacherMask& mask = teacher_masks_[{pair.image, pair.slice.value_or(0)}];
    if (!mask.labels.defined()) {
      const data::Sample sample = share.load(index);
      const Segmenter segmenter = segmenter_of(teacher_);
      mask.labels = segmenter.labels(
          segmenter.probability(sample.image.unsqueeze(0), ImageNames{sample.name})[0]);
      mask.dice = mask_agreement(mask.labels, sample.mask[0], classes(), sample.ignored);
    }
    return mask;
  }

  /// What the teacher makes of a group of samples: for this stage, in a file for all, since its
  /// records have one form.
  Features teach(const at::Tensor& images, const at::Tensor& masks) const {
    const bool to_file = config_.train.feature_cache == FeatureCache::kDisk && features_.keeps();
    const DistillStage wanted = to_file && has_halves() ? DistillStage::kHalves : stage();
    return to_features(
        distill_targets(teacher_, sampling(), make_input(images, masks, wanted), wanted));
  }

  DistillTargets targets_of(const data::Batch& batch) {
    Features features = features_.of(batch.images, batch.masks);
    for (at::Tensor& tensor : features) {
      tensor = tensor.defined() ? placed(tensor) : tensor;
    }
    return to_targets(features);
  }

  /// As the networks take it.
  at::Tensor placed(const at::Tensor& tensor) const {
    return to_device(tensor, device_).contiguous(at::MemoryFormat::ChannelsLast);
  }

  /// Everything that the teacher's values follow from besides images and masks.
  std::string identity() const {
    return str(arithmetic_identity(config_, device_, group()), ", distilled from ",
               light_.description.distilled_from->sha256, ", seed ", config_.seed,
               has_halves() ? "" : ", as one");
  }

  DistillInput make_input(const at::Tensor& images, const at::Tensor& masks,
                          DistillStage stage) const {
    const models::AutoencoderConfig& shape = light_.description.autoencoder;
    const std::int64_t side = images.size(2) / models::downsampling(shape);
    return {.images = placed(images),
            .mask_images =
                stage == DistillStage::kHalves ? placed(codec_.to_image(masks)) : at::Tensor(),
            .noise = placed(
                sample_noise(config_.seed, images, masks, {shape.latent_channels, side, side}))};
  }

  Config config_;
  c10::Device device_;
  TrainingModel teacher_;
  MaskCodec codec_;
  TrainingModel light_;
  TrainingModel average_;  ///< of light_; the same networks without train.use_ema
  diffusion::NoiseScheduler scheduler_;
  CachedFeatures features_;
  LightParts parts_;
  TaskNetworks networks_;
  std::int64_t updates_ = 0;
  std::map<std::pair<std::filesystem::path, std::int64_t>, TeacherMask>
      teacher_masks_;  ///< by file and slice
};

}  // namespace

std::unique_ptr<TrainingTask> make_distill_task(const Config& config, c10::Device device) {
  return std::make_unique<DistillTask>(config, device);
}

}  // namespace leaf
