#include "leaf/config/key_names.h"

namespace leaf::config {

const std::vector<FieldName>& key_names() {
  static const std::vector<FieldName> names{
      {"Config::task", "task"},
      {"ModelSection::init", "model.init"},
      {"ModelSection::pretrained", "model.pretrained"},
      {"ModelSection::teacher", "model.teacher"},
      {"ModelSection::autoencoder_weights", "model.autoencoder.weights"},
      {"ModelSection::unet_weights", "model.unet.weights"},
      {"ModelSection::latent_encoder_weights", "model.latent_encoder.weights"},
      {"ModelSection::scale_by_std", "model.autoencoder.scale_by_std"},
      {"AutoencoderConfig::type", "model.autoencoder.type"},
      {"AutoencoderConfig::latent_channels", "model.autoencoder.latent_channels"},
      {"AutoencoderConfig::widths", "model.autoencoder.widths"},
      {"AutoencoderConfig::scaling_factor", "model.autoencoder.scaling_factor"},
      {"UNetConfig::num_heads", "model.unet.num_heads"},
      {"DistillSection::halves_steps", "distill.halves_steps"},
      {"AlignmentSection::teacher", "alignment.teacher"},
      {"AlignmentSection::weights", "alignment.weights"},
      {"DataConfig::dataset", "data.dataset"},
      {"DataConfig::root", "data.root"},
      {"DataConfig::images", "data.images"},
      {"DataConfig::masks", "data.masks"},
      {"DataConfig::mask_prefix", "data.mask_prefix"},
      {"DataConfig::mask_suffix", "data.mask_suffix"},
      {"DataConfig::mask_threshold", "data.mask_threshold"},
      {"DataConfig::mask_orientation", "data.mask_orientation"},
      {"DataConfig::ignore_value", "data.ignore_value"},
      {"DataConfig::classes", "data.classes"},
      {"DataConfig::augment", "data.augment"},
      {"DataConfig::crop", "data.crop"},
      {"DataConfig::resolution", "data.resolution"},
      {"DataConfig::intensity", "data.intensity"},
      {"DataConfig::slice_axis", "data.slice_axis"},
      {"Intensity::low and high", "data.window"},
      {"DataConfig::split", "data.split"},
      {"SplitConfig::strategy", "data.split.strategy"},
      {"SplitConfig::validation", "data.split.validation"},
      {"SplitConfig::test", "data.split.test"},
      {"SplitConfig::manifest", "data.split.manifest"},
      {"SplitConfig::groups", "data.split.groups"},
      {"SplitConfig::folds", "data.split.folds"},
      {"SplitConfig::fold", "data.split.fold"},
      {"LoaderOptions::batch_size", "train.train_batch_size"},
      {"LoaderOptions::num_workers", "data.num_workers"},
      {"TrainSection::learning_rate", "train.learning_rate"},
      {"TrainSection::feature_cache", "train.feature_cache"},
      {"TrainSection::mixed_precision", "train.mixed_precision"},
      {"TrainSection::cuda_graph", "train.cuda_graph"},
      {"TrainSection::gradient_checkpointing", "train.gradient_checkpointing"},
      {"OutputSection::dir", "output.dir"},
  };
  return names;
}

}  // namespace leaf::config
