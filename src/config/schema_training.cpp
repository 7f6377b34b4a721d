#include "config/field_types.h"
#include "config/schema_sections.h"

namespace leaf::config {
namespace {

/// Where the rate falls towards the end, another end is another rate at every step.
Field max_train_steps_field(TrainSection& t) {
  Field field = integer("train.max_train_steps", t.max_train_steps, at_least(1),
                        "Optimizer steps in all. With train.lr_scheduler linear or cosine a run "
                        "cannot be continued to another end.");
  field.is_harmless = t.lr_scheduler == LrScheduler::kConstant;
  return field;
}

Fields optimizer_fields(TrainSection& t) {
  return {
      number("train.learning_rate", t.learning_rate, above(0), "AdamW's rate after the warm-up."),
      choice("train.lr_scheduler", t.lr_scheduler,
             "What the rate does after the warm-up: stay, or fall to 0 at the end of "
             "train.max_train_steps, linearly or as half a cosine wave."),
      number("train.weight_decay", t.weight_decay, at_least(0), "AdamW's weight decay."),
      number("train.adam_beta1", t.adam_beta1, from_to_below(0, 1), "AdamW's beta 1."),
      number("train.adam_beta2", t.adam_beta2, from_to_below(0, 1), "AdamW's beta 2."),
      number("train.adam_epsilon", t.adam_epsilon, above(0), "AdamW's epsilon."),
      number("train.max_grad_norm", t.max_grad_norm, at_least(0),
             "Gradients are clipped to this global norm; 0: not at all."),
      harmless(boolean("train.clip_in_update", t.clip_in_update,
                       "Clip in AdamW's own pass over the gradients instead of one before: the "
                       "same to rounding, and on a GPU one pass less.")),
      integer("train.num_warmup_steps", t.num_warmup_steps, at_least(0),
              "The learning rate rises linearly from 0 over this many steps."),
      max_train_steps_field(t),
      integer("train.train_batch_size", t.train_batch_size, at_least(1),
              "Images per forward pass and process."),
      integer("train.gradient_accumulation_steps", t.gradient_accumulation_steps, at_least(1),
              "Forward passes per optimizer step."),
  };
}

Fields feature_cache_fields(TrainSection& t) {
  return {
      harmless(choice(
          "train.feature_cache", t.feature_cache,
          "Keep what the frozen networks give (latents of masks, tokens of the teacher; in task "
          "distill all that the teacher makes of a sample) for the next epoch: in memory, or on "
          "the disk for later runs too. Results are the same. Not used with data.augment, but for "
          "quarter turns: then no sample comes twice.")),
      harmless(
          integer("train.feature_cache_mb", t.feature_cache_mb, at_least(0),
                  "Keep up to this many megabytes; 0: a quarter of what is free at the start.")),
      harmless(path(
          "train.feature_cache_dir", t.feature_cache_dir,
          "disk only: the folder, which several runs may share; empty: feature-cache beside the "
          "run folder.")),
  };
}

/// As other trainers name them.
const EnumNames<Precision> kMixedPrecisions{{Precision::kFloat32, "no"},
                                            {Precision::kBFloat16, "bf16"}};

}  // namespace

Fields train_fields(TrainSection& t) {
  Fields fields = optimizer_fields(t);
  append(
      fields,
      {choice("train.mixed_precision", t.mixed_precision, kMixedPrecisions,
              "Arithmetic of the networks; weights stay float32. bf16 is for GPUs: on a CPU it is "
              "slower."),
       harmless(boolean(
           "train.cuda_graph", t.cuda_graph,
           "On a GPU, record a step's forward and backward pass once and replay it: a faster step "
           "where launching kernels takes longer than they do. Task segmentation, one process, "
           "without gradient accumulation or train.gradient_checkpointing.")),
       harmless(boolean(
           "train.gradient_checkpointing", t.gradient_checkpointing,
           "Compute the inside of residual and attention blocks again in the backward pass "
           "instead of keeping it: less memory, a step a third longer, the same weights. In task "
           "distill of a U-Net that learns.")),
       boolean("train.use_ema", t.use_ema,
               "Keep and validate an average of the U-Net's weights; in task distill of all that "
               "learns, in task autoencoder of nothing."),
       number("train.ema_decay", t.ema_decay, from_to_below(0, 1),
              "Largest decay of that average; it rises with the steps."),
       boolean("train.ema_latent_encoder", t.ema_latent_encoder,
               "Task segmentation: average the image encoder's weights too, where they are "
               "trained; the paper averages the U-Net's alone."),
       boolean("train.train_latent_encoder", t.train_latent_encoder,
               "Task segmentation: false freezes the image encoder."),
       number("train.kl_weight", t.kl_weight, at_least(0),
              "task autoencoder only: weight of the KL term."),
       harmless(integer("train.log_steps", t.log_steps, at_least(1),
                        "Log the losses every so many steps: their means over these steps.")),
       harmless(integer("train.checkpoint_steps", t.checkpoint_steps, at_least(1),
                        "Write a checkpoint every so many steps.")),
       harmless(integer(
           "train.checkpoints_total_limit", t.checkpoints_total_limit, at_least(1),
           "Keep this many of the newest checkpoints; a resume steps over one that is damaged."))});
  append(fields, feature_cache_fields(t));
  return fields;
}

Fields validation_fields(ValidationSection& v) {
  return {
      harmless(integer("validation.start_steps", v.start_steps, at_least(0),
                       "First step at which the validation part is scored.")),
      harmless(integer("validation.steps", v.steps, at_least(1),
                       "Score it every so many steps from then on.")),
      harmless(integer("validation.batch_size", v.batch_size, at_least(1),
                       "Images per forward pass; fewer take less memory.")),
      integer("validation.num_inference_steps", v.num_inference_steps, at_least(1),
              "Denoising steps per image."),
      number("validation.threshold", v.threshold, between(0, 1),
             "Mask probabilities above this are foreground."),
      harmless(integer("validation.overlays", v.overlays, at_least(0),
                       "Pictures with the outlines of prediction and truth that each validation "
                       "leaves in the run folder and in TensorBoard.")),
      harmless(choice("validation.overlay_format", v.overlay_format,
                      "How these pictures are stored: jpeg, or png, which loses nothing and is "
                      "several times larger.")),
      word("validation.best_metric", v.best_metric,
           {"dice",
            "iou",
            "precision",
            "recall",
            "specificity",
            "accuracy",
            "area_difference",
            "relative_area_difference",
            "hausdorff",
            "hd95",
            "assd",
            "nsd",
            "boundary_iou",
            "lesions_found",
            "lesions_missed",
            "false_objects",
            "auroc",
            "average_precision",
            "ece",
            "brier"},
           "The metric whose mean decides which step is best, of those of leaf_eval; the earliest "
           "of equal steps stays. Images for which it is undefined do not count."),
      choice(
          "validation.best_images", v.best_images,
          "Over which images: all, where one whose truth and prediction are both empty counts 1, "
          "or those with_target alone, for data with many empty masks."),
  };
}

}  // namespace leaf::config
