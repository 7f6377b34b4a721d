#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/core/precision.h"
#include "leaf/data/data_config.h"
#include "leaf/diffusion/scheduler_config.h"
#include "leaf/models/input_widening.h"
#include "leaf/models/model_config.h"

namespace leaf {

enum class Task { kSegmentation, kAutoencoder, kDistill };
inline EnumNames<Task> enum_names(Task /*tag*/) {
  return {{Task::kSegmentation, "segmentation"},
          {Task::kAutoencoder, "autoencoder"},
          {Task::kDistill, "distill"}};
}

enum class ModelInit { kPretrained, kRandom };
inline EnumNames<ModelInit> enum_names(ModelInit /*tag*/) {
  return {{ModelInit::kPretrained, "pretrained"}, {ModelInit::kRandom, "random"}};
}

/// Section `model`.
struct ModelSection {
  /// kRandom ignores every weights path: for tests, dry runs and benchmarks.
  ModelInit init = ModelInit::kPretrained;
  /// A model folder whose parts (vae, unet, latent_encoder) are the start where no path below says
  /// else.
  std::filesystem::path pretrained;
  /// Task::kDistill only: the model folder, or run, that the light model learns from.
  std::filesystem::path teacher;
  models::AutoencoderConfig autoencoder;
  /// A model folder, a `vae` folder, or weight files (encoder and decoder may be apart).
  std::vector<std::filesystem::path> autoencoder_weights;
  /// Latents are divided by the standard deviation of the first batch's, besides.
  bool scale_by_std = false;
  models::UNetConfig unet;
  models::InputWidening unet_widening = models::InputWidening::kHalved;
  /// A weight file or a part's folder; empty starts the U-Net at random, the latent encoder as a
  /// copy.
  std::filesystem::path unet_weights;
  /// Probability, in training.
  double latent_encoder_dropout = 0.2;
  std::filesystem::path latent_encoder_weights;
};

/// How the cosine loss is averaged: kMean is the paper's equation 5, kReference divides by the
/// batch size once more, as the published code does.
enum class CosineReduction { kMean, kReference };
inline EnumNames<CosineReduction> enum_names(CosineReduction /*tag*/) {
  return {{CosineReduction::kMean, "mean"}, {CosineReduction::kReference, "reference"}};
}

/// Section `alignment`: the frozen vision transformer that the U-Net's features are aligned with.
struct AlignmentSection {
  /// none, or the name of a teacher; an unknown one is answered with the list.
  std::string teacher = "dinov2_vitb14_reg";
  std::filesystem::path weights;
  /// Weight of the cosine loss; 0 trains without a teacher.
  double lambda = 0.75;
  CosineReduction reduction = CosineReduction::kMean;
  /// Width of the projector's hidden layers.
  std::int64_t projector_dim = 2048;
};

/// The U-Net of a light model: the teacher's own as it is, a copy of it that learns with the light
/// halves, or one of the configuration's shape that learns from it.
enum class DistilledUNet { kTeacher, kTuned, kNew };
inline EnumNames<DistilledUNet> enum_names(DistilledUNet /*tag*/) {
  return {{DistilledUNet::kTeacher, "teacher"},
          {DistilledUNet::kTuned, "tuned"},
          {DistilledUNet::kNew, "new"}};
}

/// Section `distill`, for Task::kDistill.
struct DistillSection {
  /// Steps of the first stage, in which each network learns by itself; in those after it they learn
  /// as one.
  std::int64_t halves_steps = 20000;
  DistilledUNet unet = DistilledUNet::kTeacher;
  /// By how much more a pixel counts where the teacher's probability is one half than where it is
  /// sure.
  double edge_weight = 1.0;
  /// Weight of losses::soft_dice beside it.
  double dice_weight = 0.0;
};

enum class DiffusionLoss { kL1, kSdseg };
inline EnumNames<DiffusionLoss> enum_names(DiffusionLoss /*tag*/) {
  return {{DiffusionLoss::kL1, "l1"}, {DiffusionLoss::kSdseg, "sdseg"}};
}

/// What of the distribution that the autoencoder makes of a mask is learned: its mode, or a sample.
enum class MaskLatent { kMode, kSample };
inline EnumNames<MaskLatent> enum_names(MaskLatent /*tag*/) {
  return {{MaskLatent::kMode, "mode"}, {MaskLatent::kSample, "sample"}};
}

/// Which noise levels training sees: each alike, or only the one at which one step of inference
/// begins.
enum class TrainingTimesteps { kUniform, kLast };
inline EnumNames<TrainingTimesteps> enum_names(TrainingTimesteps /*tag*/) {
  return {{TrainingTimesteps::kUniform, "uniform"}, {TrainingTimesteps::kLast, "last"}};
}

/// Section `diffusion`.
struct DiffusionSection {
  diffusion::SchedulerConfig scheduler;
  /// kL1: on the predicted quantity (the paper). kSdseg: that plus L1 on the recovered latent.
  DiffusionLoss loss = DiffusionLoss::kL1;
  MaskLatent mask_latent = MaskLatent::kMode;
  TrainingTimesteps training_timesteps = TrainingTimesteps::kUniform;
};

/// Where the outputs of the frozen networks are kept for the next time that a sample comes by.
enum class FeatureCache { kOff, kMemory, kDisk };
inline EnumNames<FeatureCache> enum_names(FeatureCache /*tag*/) {
  return {{FeatureCache::kOff, "off"},
          {FeatureCache::kMemory, "memory"},
          {FeatureCache::kDisk, "disk"}};
}

/// What the learning rate does between the warm-up and the last step (diffusers' lr_scheduler).
enum class LrScheduler { kConstant, kLinear, kCosine };
inline EnumNames<LrScheduler> enum_names(LrScheduler /*tag*/) {
  return {{LrScheduler::kConstant, "constant"},
          {LrScheduler::kLinear, "linear"},
          {LrScheduler::kCosine, "cosine"}};
}

/// Section `train`.
struct TrainSection {
  /// AdamW's rate after the warm-up, its decay (decoupled, per unit of rate) and its moments.
  double learning_rate = 4e-5;
  LrScheduler lr_scheduler = LrScheduler::kConstant;
  double weight_decay = 0.01;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  /// Largest L2 norm of all gradients together; 0: any.
  double max_grad_norm = 1.0;
  /// Clips in the optimizer's own pass over the gradients.
  bool clip_in_update = false;
  /// In optimizer steps, as are all counts of steps here.
  std::int64_t num_warmup_steps = 10000;
  std::int64_t max_train_steps = 100000;
  /// Images of one forward pass, and such passes per optimizer step.
  std::int64_t train_batch_size = 4;
  std::int64_t gradient_accumulation_steps = 1;
  /// The networks' arithmetic; weights stay float32.
  Precision mixed_precision = Precision::kFloat32;
  /// Records a step's forward and backward pass on the GPU once and replays it.
  bool cuda_graph = false;
  /// Computes the inside of residual and attention blocks again in the backward pass.
  bool gradient_checkpointing = false;
  FeatureCache feature_cache = FeatureCache::kMemory;
  /// Megabytes; 0: a quarter of what is free at the start.
  std::int64_t feature_cache_mb = 0;
  /// kDisk only; empty: the folder `feature-cache` beside the run folder.
  std::filesystem::path feature_cache_dir;
  /// Keeps an average of the U-Net's weights, which is validated and saved; its largest decay.
  bool use_ema = true;
  double ema_decay = 0.9999;
  /// Averages the image encoder's weights too.
  bool ema_latent_encoder = false;
  bool train_latent_encoder = true;
  /// task: autoencoder only; weight of the KL term.
  double kl_weight = 1e-6;
  /// Steps between two lines of metrics.jsonl, and between two checkpoints; how many of these stay.
  std::int64_t log_steps = 50;
  std::int64_t checkpoint_steps = 1000;
  std::int64_t checkpoints_total_limit = 2;
};

/// The images over which the metric that decides is averaged.
enum class BestImages { kAll, kWithTarget };
inline EnumNames<BestImages> enum_names(BestImages /*tag*/) {
  return {{BestImages::kAll, "all"}, {BestImages::kWithTarget, "with_target"}};
}

/// How validation's pictures are stored.
enum class OverlayFormat { kJpeg, kPng };
inline EnumNames<OverlayFormat> enum_names(OverlayFormat /*tag*/) {
  return {{OverlayFormat::kJpeg, "jpeg"}, {OverlayFormat::kPng, "png"}};
}

/// Section `validation`.
struct ValidationSection {
  /// First step at which the validation part is scored, and how often from then on.
  std::int64_t start_steps = 30000;
  std::int64_t steps = 200;
  /// Images at a time.
  std::int64_t batch_size = 16;
  /// Denoising steps.
  std::int64_t num_inference_steps = 1;
  /// Foreground where the probability (0 to 1) exceeds this.
  double threshold = 0.5;
  /// Pictures with the outlines of prediction and truth that each validation leaves.
  std::int64_t overlays = 4;
  OverlayFormat overlay_format = OverlayFormat::kJpeg;
  /// The mean of this metric of the table decides which model is best, over these images.
  std::string best_metric = "dice";
  BestImages best_images = BestImages::kAll;
};

/// Section `output`.
struct OutputSection {
  std::filesystem::path dir = "runs/leaf";
};

/// Everything that a run depends on. The default of every value is the paper's.
struct Config {
  Task task = Task::kSegmentation;
  std::uint64_t seed = 1337;
  ModelSection model;
  AlignmentSection alignment;
  DistillSection distill;
  DiffusionSection diffusion;
  data::DataConfig data;
  TrainSection train;
  ValidationSection validation;
  OutputSection output;
};

}  // namespace leaf
