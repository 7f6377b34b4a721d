#include "config/schema.h"

#include "config/field_types.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

using Fields = std::vector<Field>;

// Beyond what anybody trains; files can claim anything.
constexpr double kMostBlocks = 64;
constexpr double kLargestResolution = 16384;

void append(Fields& fields, Fields more) {
  for (auto& field : more) {
    fields.push_back(std::move(field));
  }
}

Fields top_fields(Config& c) {
  return {
      choice("task", c.task,
             "What is trained: the segmentation model, or the autoencoder that it rests on."),
      seed_number(
          "seed", c.seed,
          "Every random draw (split, order, flips, timesteps, noise, dropout) follows from it, but "
          "for validation's starting noise: that has seed 0, as leaf_eval and leaf_infer by "
          "default."),
  };
}

Fields autoencoder_fields(ModelSection& m) {
  auto& a = m.autoencoder;
  return {
      choice("model.autoencoder.type", a.type,
             "kl: CompVis AutoencoderKL; tiny: the TAESD family, downsampling 8, about 50 times "
             "cheaper."),
      integer("model.autoencoder.latent_channels", a.latent_channels, at_least(1),
              "Channels of a latent; the U-Net takes twice as many and gives as many."),
      integer("model.autoencoder.ch", a.ch, at_least(32), "kl only: width of the first level."),
      integer_list("model.autoencoder.ch_mult", a.ch_mult,
                   "kl only: width of each level as a multiple of ch; each level after the first "
                   "halves the side."),
      integer("model.autoencoder.num_res_blocks", a.num_res_blocks, between(1, kMostBlocks),
              "kl only: residual blocks per level of the encoder (the decoder has one more)."),
      number(
          "model.autoencoder.scaling_factor", a.scaling_factor, above(0),
          "kl only: latents are multiplied by it after encoding, divided by it before decoding."),
      choice("model.autoencoder.variant", a.variant,
             "tiny only: plain blocks (taesd) or blocks with pooling (taef2)."),
      path_list("model.autoencoder.weights", m.autoencoder_weights,
                "A model folder, a vae folder, or weight files; encoder and decoder may be apart."),
  };
}

Fields unet_fields(ModelSection& m) {
  auto& u = m.unet;
  return {
      integer("model.unet.model_channels", u.model_channels, at_least(32),
              "Width of the first level; a multiple of 32."),
      integer_list(
          "model.unet.channel_mult", u.channel_mult,
          "Width of each level as a multiple of model_channels; each level after the first "
          "halves the side."),
      integer("model.unet.num_res_blocks", u.num_res_blocks, between(1, kMostBlocks),
              "Residual blocks per level."),
      integer_list("model.unet.attention_resolutions", u.attention_resolutions,
                   "Downsampling rates, relative to the latent, of the levels with attention."),
      integer("model.unet.num_heads", u.num_heads, at_least(1), "Heads of each attention block."),
      number(
          "model.unet.dropout", u.dropout, from_to_below(0, 1),
          "Dropout of the residual blocks, before their last convolution, in every training step; "
          "validation and inference have none."),
      path("model.unet.weights", m.unet_weights,
           "Where the U-Net starts from: a model folder, a unet folder or a weight file."),
  };
}

Fields model_fields(ModelSection& m) {
  Fields fields{
      choice("model.init", m.init,
             "random ignores every weights path: for tests, dry runs and benchmarks."),
      path("model.pretrained", m.pretrained,
           "A model folder (vae, unet, latent_encoder) whose parts are the start wherever no "
           "weights key below says else."),
  };
  append(fields, autoencoder_fields(m));
  append(fields, unet_fields(m));
  append(
      fields,
      {number("model.latent_encoder.dropout", m.latent_encoder_dropout, from_to_below(0, 1),
              "The same for the trained image encoder; the frozen autoencoder and the teacher have "
              "none."),
       path("model.latent_encoder.weights", m.latent_encoder_weights,
            "Where the image encoder starts from; empty: a copy of the autoencoder's encoder.")});
  return fields;
}

Fields alignment_fields(AlignmentSection& a) {
  return {
      text(
          "alignment.teacher", a.teacher,
          "The frozen vision transformer that the U-Net's features are aligned with, by name: "
          "dinov2_vit{s,b,l,g}14 and dinov2_vit{s,b,l,g}14_reg, "
          "vit_{tiny,small,base}_patch16_224, clip_vit_base_patch{16,32}_224, "
          "clip_vit_large_patch14_224, open_clip_vit_base_patch16_224, "
          "open_clip_vit_large_patch14_224, mae_vit_{base,large}_patch16_224, "
          "mae_vit_huge_patch14_224; none switches alignment off. Aligned is the output of the "
          "U-Net's "
          "first block whose side is half the latent's (input_blocks.3 in the paper's network); "
          "the teacher sees the image resized to its patch size times that side (224 for images of "
          "256 and patches of 14), so that it has as many tokens."),
      path("alignment.weights", a.weights, "The teacher's weight file."),
      number("alignment.lambda", a.lambda, at_least(0), "Weight of the alignment loss."),
      choice("alignment.reduction", a.reduction,
             "mean: the paper's equation 5; reference: divided by the batch size once more, as the "
             "published code does."),
      integer("alignment.projector_dim", a.projector_dim, at_least(1),
              "Hidden width of the projector from the U-Net's features to the teacher's."),
  };
}

Fields schedule_fields(diffusion::SchedulerConfig& s) {
  return {
      choice("diffusion.beta_schedule", s.beta_schedule,
             "The diffusers library's names; CompVis calls scaled_linear linear."),
      number("diffusion.beta_start", s.beta_start, above(0), "Variance of the first step."),
      number("diffusion.beta_end", s.beta_end, from_to_below(0, 1), "Variance of the last step."),
      integer("diffusion.num_train_timesteps", s.num_train_timesteps, at_least(1),
              "Number of noise levels."),
      choice("diffusion.prediction_type", s.prediction_type,
             "What the U-Net predicts: the noise, v, or the clean latent (x0)."),
  };
}

Fields sampling_fields(DiffusionSection& d) {
  auto& s = d.scheduler;
  return {
      boolean("diffusion.clip_sample", s.clip_sample,
              "Clamp the predicted latent at inference: right for kl, wrong for tiny autoencoders, "
              "whose latents are larger."),
      number("diffusion.clip_sample_range", s.clip_sample_range, above(0), "Clamp to +- this."),
      boolean("diffusion.set_alpha_to_one", s.ddim.set_alpha_to_one,
              "The last inference step ends at the clean latent."),
      integer("diffusion.steps_offset", s.ddim.steps_offset, at_least(0),
              "Added to the timesteps of inference where they are leading and more than one."),
      choice("diffusion.timestep_spacing", s.ddim.timestep_spacing,
             "How the timesteps of inference are placed; one step is always the "
             "last timestep."),
      choice("diffusion.loss", d.loss,
             "l1: on the predicted quantity; sdseg: that plus L1 on the recovered latent."),
  };
}

Fields split_fields(data::SplitConfig& s) {
  return {
      choice(
          "data.split.strategy", s.strategy,
          "random: seeded shuffle; tail: the sorted list's end validates and tests; groups: whole "
          "groups stay together; manifest: as listed; published: the reference's protocol, where "
          "validation and test are the same images."),
      number("data.split.validation", s.validation, at_least(0),
             "Validation part: a fraction (below 1) or a count of pairs."),
      number("data.split.test", s.test, at_least(0),
             "Test part: a fraction (below 1) or a count of pairs."),
      path("data.split.manifest", s.manifest,
           "For manifest: CSV with the header image,mask,split (a split.csv of an earlier run)."),
      path("data.split.groups", s.groups,
           "For groups: CSV with the header name,group and a line per image, named without "
           "extension; with two columns in this order they may be called otherwise."),
  };
}

Fields data_source_fields(data::DataConfig& d) {
  return {
      word("data.dataset", d.dataset,
           {"folder", "cvc-clinicdb", "isic2018", "qata-cov19", "refuge2"},
           "Layout of the files; folder is any pair of image and mask folders."),
      harmless(path("data.root", d.root, "The data set's folder.")),
      text("data.images", d.images, "folder only: sub-folder of root with the images."),
      text("data.masks", d.masks, "folder only: sub-folder of root with the masks."),
      text("data.mask_prefix", d.mask_prefix,
           "folder only: what a mask's name has before its image's name."),
      text("data.mask_suffix", d.mask_suffix,
           "folder only: what a mask's name has after its image's name."),
  };
}

Fields data_fields(data::DataConfig& d) {
  Fields fields = data_source_fields(d);
  append(fields, split_fields(d.split));
  append(
      fields,
      {integer("data.resolution", d.resolution, between(8, kLargestResolution),
               "Side in pixels of the square that images are resized to."),
       choice("data.intensity", d.intensity.rule,
              "Which values of an image file become black and white. full: 0 and the largest "
              "that its bits can hold; range: the smallest and the largest in the image, for "
              "CT, MR and X-ray pictures of 12 bits in 16; window: those of data.window. The "
              "model folder records it."),
       number_pair("data.window", d.intensity.low, d.intensity.high,
                   "For window: the values that become black and white, as the files hold them, "
                   "as [-1000, 400]."),
       integer("data.mask_threshold", d.mask_threshold, between(0, 254),
               "Grey values of a mask above this are foreground (as leaf_eval --threshold); of "
               "255, in deeper files in proportion; 0: every value but 0."),
       integer("data.ignore_value", d.ignore_value, between(-1, 65535),
               "Mask pixels of this value (a void border's 255) are left out of scores, and are "
               "background in training; -1: none."),
       class_list("data.classes", d.classes,
                  "What the pixels of masks are, the background first. Two names: what "
                  "data.mask_threshold divides. Else 2 to 8 items NAME=VALUES, as "
                  "[background=0, disc=128, cup=255], and any ignore=VALUES, pixels that are left "
                  "out of scores; VALUES are those of the files (grey values, a palette's indices, "
                  "or colours #rrggbb), several joined by +. The model folder records them."),
       choice("data.class_coding", d.classes.coding,
              "How several classes become the autoencoder's image. colours: a colour each; "
              "channels: up to three nested classes, each within the one before it (a cup in its "
              "disc), are channels, and each one's scores count what lies within it."),
       choice("data.mask_orientation", d.mask_orientation,
              "Whose pixels a mask has where its image is a turned photograph: stored, "
              "displayed, or auto, which is stored unless the size fits the displayed image "
              "alone. A mask file's own orientation comes first."),
       choice("data.crop", d.crop,
              "disc: image and mask are cut to the square round the optic disc of a label map "
              "(refuge2), as the published numbers have it."),
       number("data.crop_margin", d.crop_margin, at_least(0),
              "What the crop has beyond the disc on each side, as a multiple of its longer "
              "side."),
       number("data.horizontal_flip", d.horizontal_flip, between(0, 1),
              "Probability of a horizontal flip while training."),
       number("data.vertical_flip", d.vertical_flip, between(0, 1),
              "Probability of a vertical flip while training."),
       harmless(
           integer("data.num_workers", d.num_workers, at_least(0),
                   "Threads that load images beside training; 0 loads in the training thread.")),
       harmless(integer(
           "data.cache_mb", d.cache_mb, at_least(0),
           "Keep decoded, resized images in up to this many megabytes; 0 decodes every time."))});
  return fields;
}

Fields optimizer_fields(TrainSection& t) {
  return {
      number("train.learning_rate", t.learning_rate, above(0), "AdamW's rate after the warm-up."),
      number("train.weight_decay", t.weight_decay, at_least(0), "AdamW's weight decay."),
      number("train.adam_beta1", t.adam_beta1, from_to_below(0, 1), "AdamW's beta 1."),
      number("train.adam_beta2", t.adam_beta2, from_to_below(0, 1), "AdamW's beta 2."),
      number("train.adam_epsilon", t.adam_epsilon, above(0), "AdamW's epsilon."),
      number("train.max_grad_norm", t.max_grad_norm, above(0),
             "Gradients are clipped to this global norm."),
      integer("train.num_warmup_steps", t.num_warmup_steps, at_least(0),
              "The learning rate rises linearly from 0 over this many steps."),
      harmless(integer("train.max_train_steps", t.max_train_steps, at_least(1),
                       "Optimizer steps in all.")),
      integer("train.train_batch_size", t.train_batch_size, at_least(1),
              "Images per forward pass and process."),
      integer("train.gradient_accumulation_steps", t.gradient_accumulation_steps, at_least(1),
              "Forward passes per optimizer step."),
  };
}

/// As other trainers name them.
const EnumNames<Precision> kMixedPrecisions{{Precision::kFloat32, "no"},
                                            {Precision::kBFloat16, "bf16"}};

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
           "where launching kernels takes longer than they do. Without gradient accumulation.")),
       harmless(
           boolean("train.gradient_checkpointing", t.gradient_checkpointing,
                   "Compute the inside of residual and attention blocks again in the backward pass "
                   "instead of keeping it: less memory, a step a third longer, the same weights.")),
       boolean("train.use_ema", t.use_ema, "Keep and validate an average of the U-Net's weights."),
       number("train.ema_decay", t.ema_decay, from_to_below(0, 1),
              "Largest decay of that average; it rises with the steps."),
       boolean("train.train_latent_encoder", t.train_latent_encoder,
               "false freezes the image encoder."),
       number("train.kl_weight", t.kl_weight, at_least(0),
              "task autoencoder only: weight of the KL term."),
       harmless(integer("train.log_steps", t.log_steps, at_least(1),
                        "Log the losses every so many steps: their means over these steps.")),
       harmless(integer("train.checkpoint_steps", t.checkpoint_steps, at_least(1),
                        "Write a checkpoint every so many steps.")),
       harmless(integer(
           "train.checkpoints_total_limit", t.checkpoints_total_limit, at_least(1),
           "Keep this many of the newest checkpoints; a resume steps over one that is damaged."))});
  return fields;
}

Fields feature_cache_fields(TrainSection& t) {
  return {
      harmless(choice(
          "train.feature_cache", t.feature_cache,
          "Keep what the frozen networks give (latents of masks, tokens of the teacher) for the "
          "next epoch: in memory, or on the disk for later runs too. Results are the same.")),
      harmless(
          integer("train.feature_cache_mb", t.feature_cache_mb, at_least(0),
                  "Keep up to this many megabytes; 0: a quarter of what is free at the start.")),
      harmless(path(
          "train.feature_cache_dir", t.feature_cache_dir,
          "disk only: the folder, which several runs may share; empty: feature-cache beside the "
          "run folder.")),
  };
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
  };
}

}  // namespace

std::vector<Field> schema(Config& config) {
  Fields fields = top_fields(config);
  append(fields, model_fields(config.model));
  append(fields, alignment_fields(config.alignment));
  append(fields, schedule_fields(config.diffusion.scheduler));
  append(fields, sampling_fields(config.diffusion));
  append(fields, data_fields(config.data));
  append(fields, train_fields(config.train));
  append(fields, feature_cache_fields(config.train));
  append(fields, validation_fields(config.validation));
  append(fields, {harmless(path("output.dir", config.output.dir,
                                "The run folder; it must not exist unless the run is resumed."))});
  return fields;
}

}  // namespace leaf::config
