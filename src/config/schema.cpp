#include "config/schema.h"

#include "config/field_types.h"
#include "config/schema_sections.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

// Beyond what anybody trains; files can claim anything.
constexpr double kMostBlocks = 64;

Fields top_fields(Config& c) {
  return {
      choice(
          "task", c.task,
          "What is trained: the segmentation model; the autoencoder that it rests on; or, to "
          "distill, a light model from a trained one (model.teacher), whose diffusion, threshold "
          "and denoising steps it keeps."),
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
             "kl: CompVis AutoencoderKL; tiny: the TAESD family, about 50 times cheaper."),
      integer("model.autoencoder.latent_channels", a.latent_channels, at_least(1),
              "Channels of a latent; twice as many go into the U-Net."),
      integer("model.autoencoder.ch", a.ch, at_least(32), "kl only: width of the first level."),
      integer_list("model.autoencoder.ch_mult", a.ch_mult,
                   "kl only: width of each level as a multiple of ch; each level after the first "
                   "halves the side."),
      integer("model.autoencoder.num_res_blocks", a.num_res_blocks, between(1, kMostBlocks),
              "kl only: residual blocks per level of the encoder (the decoder has one more)."),
      number(
          "model.autoencoder.scaling_factor", a.scaling_factor, above(0),
          "kl only: latents are multiplied by it after encoding, divided by it before decoding."),
      boolean(
          "model.autoencoder.scale_by_std", m.scale_by_std,
          "kl only: latents are also divided by the standard deviation of the first batch's "
          "mask latents, as SDSeg does (there scaling_factor is 1); the model folder states the "
          "factor that comes of it."),
      choice("model.autoencoder.variant", a.variant,
             "tiny only: plain blocks (taesd) or blocks with pooling (taef2)."),
      integer_list("model.autoencoder.widths", a.widths,
                   "tiny only: width of each level, that of the image's own size first; each level "
                   "after the first halves the side."),
      integer("model.autoencoder.blocks", a.blocks, between(1, kMostBlocks),
              "tiny only: blocks per level; the first level has one."),
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
      choice("model.unet.widening", m.unet_widening,
             "How a start for the mask's latent alone takes the image's too. halved: its first "
             "filters are repeated and halved (the paper); zeros: they stay, the image's are zero "
             "(SDSeg)."),
  };
}

Fields model_fields(ModelSection& m) {
  Fields fields{
      choice("model.init", m.init,
             "random ignores every weights path but that of a distilled model's teacher: for "
             "tests, dry "
             "runs and benchmarks."),
      path("model.pretrained", m.pretrained,
           "A model folder (vae, unet, latent_encoder), or a run, whose parts are the start "
           "wherever no weights key below says else; in task distill a light model whose encoders "
           "and decoder are the start, and those keys are not read."),
      path("model.teacher", m.teacher,
           "task distill only: the trained model (a model folder, or a run) that the light model "
           "learns from."),
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

Fields distill_fields(DistillSection& d) {
  return {
      integer(
          "distill.halves_steps", d.halves_steps, at_least(0),
          "Steps of the first stage, in which encoders, decoder and a U-Net that learns copy what "
          "the teacher's give, each by itself; in the steps after it they learn the teacher's "
          "masks as one."),
      choice(
          "distill.unet", d.unet,
          "teacher: the teacher's U-Net stays as it is; tuned: a copy of it learns with the "
          "others; new: one of the shape in model.unet, such as a narrower one, learns from it."),
      number(
          "distill.edge_weight", d.edge_weight, at_least(0),
          "A pixel counts 1 where the teacher's decoder is sure and this much more where it says "
          "one half."),
      number(
          "distill.dice_weight", d.dice_weight, at_least(0),
          "Weight of a Dice loss on the masks as decoded, beside their L1: in it an image with a "
          "small target counts as much as one with a large one."),
  };
}

Fields schedule_fields(diffusion::SchedulerConfig& s) {
  return {
      choice("diffusion.beta_schedule", s.beta_schedule,
             "The diffusers library's names; CompVis calls scaled_linear linear."),
      number("diffusion.beta_start", s.beta_start, above(0), "Variance of the first step."),
      number("diffusion.beta_end", s.beta_end, from_to_below(0, 1), "Variance of the last step."),
      integer("diffusion.num_train_timesteps", s.num_train_timesteps, between(1, 65536),
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
             "l1: on the predicted quantity; sdseg: that plus L1 on the recovered latent, both "
             "logged."),
      choice("diffusion.mask_latent", d.mask_latent,
             "What of the distribution that a kl autoencoder makes of a mask is learned: its mode, "
             "or a sample that each step draws anew (SDSeg)."),
      choice("diffusion.training_timesteps", d.training_timesteps,
             "uniform: any noise level (the paper); last: only the one at which inference begins, "
             "which a model for one step learns in fewer steps; it then refuses to do more."),
  };
}

}  // namespace

void append(Fields& fields, Fields more) {
  for (auto& field : more) {
    fields.push_back(std::move(field));
  }
}

std::vector<Field> schema(Config& config) {
  Fields fields = top_fields(config);
  append(fields, model_fields(config.model));
  append(fields, alignment_fields(config.alignment));
  append(fields, distill_fields(config.distill));
  append(fields, schedule_fields(config.diffusion.scheduler));
  append(fields, sampling_fields(config.diffusion));
  append(fields, data_fields(config.data));
  append(fields, train_fields(config.train));
  append(fields, validation_fields(config.validation));
  append(fields, {harmless(path("output.dir", config.output.dir,
                                "The run folder; it must not exist unless the run is resumed."))});
  return fields;
}

}  // namespace leaf::config
