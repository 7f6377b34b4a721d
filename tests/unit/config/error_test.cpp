#include <sys/stat.h>

#include "config_files.h"

namespace leaf::config {

TEST_F(ConfigFiles, UnknownKeysNameTheNearest) {
  EXPECT_EQ(error_of("seed: 1\ntrain:\n  learing_rate: 1\n"),
            "refuge.yaml:3: unknown key 'train.learing_rate' (did you mean 'learning_rate'?)");
  EXPECT_EQ(error_of("trian:\n  learning_rate: 1\n"),
            "refuge.yaml:1: unknown key 'trian' (did you mean 'train'?)");
  EXPECT_EQ(error_of("data:\n  split:\n    startegy: tail\n"),
            "refuge.yaml:3: unknown key 'data.split.startegy' (did you mean 'strategy'?)");
  EXPECT_EQ(error_of("train: {resolution: 256}"),
            "refuge.yaml:1: unknown key 'train.resolution' (did you mean 'data.resolution'?)");
  EXPECT_EQ(error_of("elephant: 256"), "refuge.yaml:1: unknown key 'elephant'");
}

TEST_F(ConfigFiles, OverridesAreCheckedLikeFiles) {
  EXPECT_EQ(error_in({}, {"train.lerning_rate=1"}),
            "--set train.lerning_rate=1: unknown key 'train.lerning_rate' (did you mean "
            "'learning_rate'?)");
  EXPECT_EQ(error_in({}, {"trian.learning_rate=1"}),
            "--set trian.learning_rate=1: unknown key 'trian.learning_rate' (did you mean "
            "'train.learning_rate'?)");
  EXPECT_EQ(error_in({}, {"seed"}),
            "--set seed: expects KEY=VALUE, as in --set train.learning_rate=1e-4");
  EXPECT_EQ(error_in({}, {"train=1"}),
            "--set train=1: 'train' is a section: name one of its keys, as in train.KEY=VALUE");
  EXPECT_EQ(error_in({}, {"model.unet.channel_mult=1,x"}),
            "--set model.unet.channel_mult=1,x: model.unet.channel_mult expects a list of whole "
            "numbers >= 1, not 'x'");
  EXPECT_EQ(error_in({}, {"data.resolution=100"}),
            "--set data.resolution=100: data.resolution 100 is not a multiple of 128 (autoencoder "
            "downsampling 8, U-Net with 5 levels); use 128");
}

TEST_F(ConfigFiles, WrongTypesAndRanges) {
  EXPECT_EQ(error_of("train:\n  learning_rate: fast\n"),
            "refuge.yaml:2: train.learning_rate expects a number > 0, not 'fast'");
  EXPECT_EQ(error_of("train:\n  learning_rate: -1\n"),
            "refuge.yaml:2: train.learning_rate expects a number > 0, not '-1'");
  EXPECT_EQ(error_of("train:\n  learning_rate: nan\n"),
            "refuge.yaml:2: train.learning_rate expects a number > 0, not 'nan'");
  EXPECT_EQ(error_of("train: {learning_rate: 1e-4x}"),
            "refuge.yaml:1: train.learning_rate expects a number > 0, not '1e-4x'");
  EXPECT_EQ(
      error_of("train: {gradient_accumulation_steps: 0}"),
      "refuge.yaml:1: train.gradient_accumulation_steps expects a whole number >= 1, not '0'");
  EXPECT_EQ(error_of("train: {log_steps: 1.5}"),
            "refuge.yaml:1: train.log_steps expects a whole number >= 1, not '1.5'");
  EXPECT_EQ(error_of("train: {log_steps: }"),
            "refuge.yaml:1: train.log_steps expects a whole number >= 1, not ''");
  EXPECT_EQ(error_of("seed: -1"), "refuge.yaml:1: seed expects a whole number >= 0, not '-1'");
  EXPECT_EQ(error_of("train: {ema_decay: 1}"),
            "refuge.yaml:1: train.ema_decay expects a number >= 0 and < 1, not '1'");
  EXPECT_EQ(error_of("validation: {threshold: 2}"),
            "refuge.yaml:1: validation.threshold expects a number from 0 to 1, not '2'");
  EXPECT_EQ(error_of("validation: {start_steps: -1}"),
            "refuge.yaml:1: validation.start_steps expects a whole number >= 0, not '-1'");
  EXPECT_EQ(error_of("train: {use_ema: yes}"),
            "refuge.yaml:1: train.use_ema expects true or false, not 'yes'");
  EXPECT_EQ(
      error_of("train: {mixed_precision: bf-16}"),
      "refuge.yaml:1: train.mixed_precision expects one of no, bf16, not 'bf-16' (did you mean "
      "'bf16'?)");
  EXPECT_EQ(
      error_of("diffusion: {prediction_type: x0}"),
      "refuge.yaml:1: diffusion.prediction_type expects one of epsilon, v_prediction, sample, "
      "not 'x0'");
  EXPECT_EQ(
      error_of("data: {dataset: isic}"),
      "refuge.yaml:1: data.dataset expects one of folder, cvc-clinicdb, isic2018, qata-cov19, "
      "refuge2, nnunet, not 'isic'");
}

TEST_F(ConfigFiles, WrongShapes) {
  EXPECT_EQ(error_of("data:\n  root: [a, b]\n"),
            "refuge.yaml:2: data.root expects a path, not a list");
  EXPECT_EQ(error_of("data:\n  root: {a: b}\n"),
            "refuge.yaml:2: data.root expects a path, not a section");
  EXPECT_EQ(
      error_of("model: {unet: {channel_mult: [1, [2]]}}"),
      "refuge.yaml:1: model.unet.channel_mult expects a list of whole numbers >= 1, not a list "
      "of lists");
  EXPECT_EQ(error_of("train: 5"),
            "refuge.yaml:1: 'train' is a section: put its keys below it, indented");
  EXPECT_EQ(error_of("- a\n- b\n"), "refuge.yaml:1: expects sections and keys, as in 'seed: 1'");
  EXPECT_EQ(error_of("seed: 1\ntrain: 2: 3\n"), "refuge.yaml:2: not valid YAML: illegal map value");
}

TEST_F(ConfigFiles, OneDocument) {
  EXPECT_EQ(error_of("seed: 1\n---\nseed: 2\n"),
            "refuge.yaml: holds 2 YAML documents (divided by ---); a configuration is one");
  EXPECT_EQ(error_of("---\nseed: 1\n...\n"), "no error");
  EXPECT_EQ(error_of(""), "no error");
}

TEST_F(ConfigFiles, NumbersBeyondReason) {
  EXPECT_EQ(error_of("train: {max_train_steps: 10000000000}"),
            "refuge.yaml:1: train.max_train_steps expects a whole number >= 1, not '10000000000' "
            "(more than 1000000000)");
  EXPECT_EQ(error_of("data: {split: {validation: 1e300}}"),
            "refuge.yaml:1: data.split.validation 1e+300 is more images than any data set has");
  EXPECT_EQ(error_of("model: {unet: {model_channels: 320000}}"),
            "refuge.yaml:1: model.unet.model_channels 320000 times 1 (model.unet.channel_mult) is "
            "320000 channels, more than 65536; lower one of them");
  EXPECT_EQ(error_of("data: {resolution: 1048576}"),
            "refuge.yaml:1: data.resolution expects a whole number from 8 to 16384, not '1048576'");
}

TEST_F(ConfigFiles, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.yaml").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", folder_ / "zero.yaml");
  EXPECT_THROW(resolve(folder_ / "pipe.yaml"), FileError);
  EXPECT_THROW(resolve(folder_ / "zero.yaml"), FileError);
}

TEST_F(ConfigFiles, TabsAreNamed) {
  const std::string message = "indented with a tab; tabs are not allowed in YAML, use spaces (";
  EXPECT_TRUE(error_of("train:\n\tlog_steps: 1\n").starts_with("refuge.yaml:2: " + message));
  EXPECT_TRUE(error_of("seed: 1\ntrain:\n  log_steps: 1\n \tuse_ema: true\n")
                  .starts_with("refuge.yaml:4: " + message));
  EXPECT_EQ(error_of("seed:\t1\n"), "no error");
}

TEST_F(ConfigFiles, RepeatedKeys) {
  EXPECT_EQ(error_of("seed: 1\ntask: segmentation\nseed: 2\n"),
            "refuge.yaml:3: key 'seed' is given twice, first in line 1; keep one");
  EXPECT_EQ(error_of("train:\n  log_steps: 1\ndata:\ntrain:\n  log_steps: 2\n"),
            "refuge.yaml:4: key 'train' is given twice, first in line 1; keep one");
}

TEST_F(ConfigFiles, MissingFilesAndVariables) {
  EXPECT_THROW(resolve(folder_ / "none.yaml"), FileError);
  const ScopedVariable unset("LEAF_TEST_UNSET", std::nullopt);
  EXPECT_EQ(
      error_of("data:\n  root: ${LEAF_TEST_UNSET}/x\n"),
      "refuge.yaml:2: the environment variable 'LEAF_TEST_UNSET' is not set: set it, or write "
      "${LEAF_TEST_UNSET:-default}");
  EXPECT_EQ(error_of("data:\n  root: ${LEAF\n"),
            "refuge.yaml:2: '${LEAF': a '${' without its '}' (write $${ for a literal ${)");
  EXPECT_NE(error_of("data:\n  root: ${LEAF_TEST_UNSET:-${HOME}/data}/x\n")
                .find("a variable's default holds no other variable"),
            std::string::npos);
}

TEST_F(ConfigFiles, Bases) {
  write("a.yaml", "seed: 1\nbase: refuge.yaml\n");
  EXPECT_EQ(error_of("base: a.yaml\n"),
            "a.yaml:2: base 'refuge.yaml' leads back to itself; remove one of the two");
  EXPECT_EQ(error_of("base: refuge.yaml\n"),
            "refuge.yaml:1: base 'refuge.yaml' leads back to itself; remove one of the two");
  EXPECT_EQ(error_of("\nbase: none.yaml\n"),
            "refuge.yaml:2: base 'none.yaml' does not exist: no file none.yaml");
  EXPECT_EQ(error_of("base: [a, b]\n"), "refuge.yaml:1: base expects a path");
  const std::string endless(5000, 'n');  // longer than any file's name
  EXPECT_EQ(error_of("base: " + endless + "\n"),
            "refuge.yaml:1: base '" + endless + "' does not exist: no file " + endless);
  write("wrong.yaml", "seed: x\n");
  EXPECT_EQ(error_of("base: wrong.yaml\n"),
            "wrong.yaml:1: seed expects a whole number >= 0, not 'x'");
}

TEST_F(ConfigFiles, SizesThatDoNotFit) {
  EXPECT_EQ(
      error_of("data:\n  resolution: 200\n"),
      "refuge.yaml:2: data.resolution 200 is not a multiple of 128 (autoencoder downsampling 8, "
      "U-Net with 5 levels); use 128 or 256");
  EXPECT_EQ(
      error_of("task: autoencoder\ndata: {resolution: 100}\n"),
      "refuge.yaml:2: data.resolution 100 is not a multiple of 8 (autoencoder downsampling 8); "
      "use 96 or 104");
  EXPECT_EQ(error_of("task: autoencoder\ndata: {resolution: 200}\n"), "no error");
  EXPECT_EQ(
      error_of("model: {unet: {model_channels: 80}}"),
      "refuge.yaml:1: model.unet.model_channels 80 times 1 (model.unet.channel_mult) is 80, not "
      "a multiple of 32 as group normalisation needs; make model.unet.model_channels a multiple "
      "of 32");
  EXPECT_EQ(
      error_of("model: {autoencoder: {ch: 48}}"),
      "refuge.yaml:1: model.autoencoder.ch 48 times 1 (model.autoencoder.ch_mult) is 48, not a "
      "multiple of 32 as group normalisation needs; make model.autoencoder.ch a multiple of 32");
  EXPECT_EQ(error_of("model: {autoencoder: {type: tiny, ch: 48}}"), "no error");
  EXPECT_EQ(
      error_of("model: {unet: {num_heads: 5}}"),
      "refuge.yaml:1: model.unet.num_heads 5 does not divide the width 192 of level 0; choose a "
      "divisor of 192");
  // Without attention at any level the middle block still has it.
  EXPECT_EQ(
      error_of("model: {unet: {num_heads: 7, attention_resolutions: []}}"),
      "refuge.yaml:1: model.unet.num_heads 7 does not divide the width 768 of level 4; choose a "
      "divisor of 768");
  EXPECT_EQ(error_of("model: {unet: {attention_resolutions: [3]}}"),
            "refuge.yaml:1: model.unet.attention_resolutions has 3, but the 5 levels of "
            "model.unet.channel_mult have the rates 1 to 16 (powers of two); remove it");
  EXPECT_EQ(error_of("model: {unet: {channel_mult: []}}"),
            "refuge.yaml:1: model.unet.channel_mult has 0 levels; give 1 to 12 numbers");
}

TEST_F(ConfigFiles, DiffusionThatDoesNotFit) {
  EXPECT_EQ(
      error_of("diffusion:\n  beta_start: 0.02\n"),
      "refuge.yaml:2: diffusion.beta_end 0.0155 must be above diffusion.beta_start 0.02; raise "
      "the one or lower the other");
  EXPECT_EQ(error_of("diffusion: {beta_start: 0.02, beta_schedule: squaredcos_cap_v2}"),
            "no error");
  EXPECT_EQ(error_of("validation: {num_inference_steps: 2000}"),
            "refuge.yaml:1: validation.num_inference_steps 2000 must not exceed "
            "diffusion.num_train_timesteps 1000");
  EXPECT_EQ(
      error_of("validation: {num_inference_steps: 1000}\ndiffusion: {steps_offset: 1}"),
      "refuge.yaml:1: validation.num_inference_steps 1000 with diffusion.steps_offset 1 begins "
      "beyond the last timestep; lower one of them");
  EXPECT_EQ(error_of("validation: {num_inference_steps: 5}\ndiffusion: {training_timesteps: last}"),
            "refuge.yaml:1: validation.num_inference_steps 5 needs a model that knows every "
            "timestep; set it to 1, or diffusion.training_timesteps to uniform");
  EXPECT_EQ(
      error_of("diffusion: {steps_offset: 1000}"),
      "refuge.yaml:1: diffusion.steps_offset 1000 must be below diffusion.num_train_timesteps "
      "1000");
  EXPECT_EQ(error_of("alignment: {teacher: ''}"),
            "refuge.yaml:1: alignment.teacher is empty; name a teacher, or none to train without "
            "alignment");
}

TEST_F(ConfigFiles, SplitsThatDoNotFit) {
  EXPECT_EQ(error_of("data: {split: {strategy: manifest}}"),
            "refuge.yaml:1: data.split.strategy manifest needs data.split.manifest, a CSV file");
  EXPECT_EQ(error_of("data: {split: {strategy: groups}}"),
            "refuge.yaml:1: data.split.strategy groups needs data.split.groups, a CSV file");
  EXPECT_EQ(error_of("data: {split: {strategy: published}}"),
            "refuge.yaml:1: data.split.strategy published needs a published data set, not "
            "data.dataset folder; use random, tail, groups, manifest or nnunet");
  EXPECT_EQ(error_of("data: {split: {validation: 1.5}}"),
            "refuge.yaml:1: data.split.validation 1.5 is neither a fraction (below 1) nor a whole "
            "count");
  EXPECT_EQ(
      error_of("data: {split: {validation: 0.9}}"),
      "refuge.yaml:1: data.split.validation 0.9 and data.split.test 0.1 leave nothing to train "
      "on; their sum must be below 1");
  EXPECT_EQ(
      error_of("data: {masks: images}"),
      "refuge.yaml:1: data.images and data.masks are both 'images': every image would be its own "
      "mask; set data.masks, data.mask_prefix or data.mask_suffix");
  EXPECT_EQ(
      error_of("model: {unet: {channel_mult: [1], attention_resolutions: [1]}}"),
      "refuge.yaml:1: model.unet.channel_mult has one level, but alignment needs the first map of "
      "the second; add a level, or set alignment.teacher: none");
}

TEST_F(ConfigFiles, WindowsThatDoNotFit) {
  const data::Intensity window =
      resolve({}, {"data.intensity=window", "data.window=[-1000, 400.5]"}).config.data.intensity;
  EXPECT_EQ(window, (data::Intensity{data::IntensityRule::kWindow, -1000, 400.5}));
  EXPECT_EQ(error_of("data: {intensity: window}"),
            "refuge.yaml:1: data.intensity window needs data.window: [low, high], low below high");
  EXPECT_EQ(error_of("data: {intensity: window, window: [5, 5]}"),
            "refuge.yaml:1: data.intensity window needs data.window: [low, high], low below high");
  EXPECT_EQ(error_of("data: {window: [0, 4095]}"),
            "refuge.yaml:1: data.window is given, but data.intensity is full; set data.intensity: "
            "window or remove data.window");
  EXPECT_EQ(error_of("data: {window: [1, 2, 3]}"),
            "refuge.yaml:1: data.window expects a list of two numbers, or none, not '1, 2, 3'");
}

TEST_F(ConfigFiles, OddValuesAreWarnings) {
  EXPECT_TRUE(resolve({}).warnings.empty());
  const auto warnings = resolve({}, {"train.max_train_steps=100"}).warnings;
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_EQ(warnings[0],
            "validation.start_steps 30000 is past train.max_train_steps 100: only the last step is "
            "validated");
  EXPECT_EQ(resolve({}, {"model.autoencoder.type=tiny"}).warnings.size(), 1U);
}

TEST(Check, RefusesAConfigMadeInCode) {
  Config config;
  check(config);
  config.data.resolution = 130;
  EXPECT_THROW(check(config), ConfigError);
}

}  // namespace leaf::config
