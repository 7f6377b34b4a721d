#include <optional>

#include "config/schema.h"
#include "config_files.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace fs = std::filesystem;

TEST_F(ConfigFiles, AnEmptyFileGivesTheDefaults) {
  Config expected;
  expected.output.dir = fs::current_path() / "runs/leaf";
  EXPECT_EQ(dump_yaml(load_config(write("empty.yaml", ""))), dump_yaml(expected));
  EXPECT_EQ(dump_yaml(load_config({})), dump_yaml(expected));
}

TEST_F(ConfigFiles, ValuesArriveWithTheirTypes) {
  const Config config = load_config(write("a.yaml", R"(
task: autoencoder
seed: 18446744073709551615
model:
  autoencoder: {type: tiny, latent_channels: 32, weights: [a.pth, /b.pth]}
  unet:
    channel_mult: [1, 2, 2]
    attention_resolutions: []
diffusion: {clip_sample: false, prediction_type: v_prediction, loss: sdseg}
data: {mask_suffix: "_segmentation", dataset: isic2018}
train:
  learning_rate: 1e-4
)"));
  EXPECT_EQ(config.task, Task::kAutoencoder);
  EXPECT_EQ(config.seed, 18446744073709551615ULL);
  EXPECT_EQ(config.model.autoencoder.type, models::AutoencoderType::kTiny);
  EXPECT_EQ(config.model.autoencoder_weights, (std::vector<fs::path>{folder_ / "a.pth", "/b.pth"}));
  EXPECT_EQ(config.model.unet.channel_mult, (std::vector<std::int64_t>{1, 2, 2}));
  EXPECT_TRUE(config.model.unet.attention_resolutions.empty());
  EXPECT_EQ(config.model.unet.in_channels, 64);
  EXPECT_EQ(config.model.unet.out_channels, 32);
  EXPECT_FALSE(config.diffusion.scheduler.clip_sample);
  EXPECT_EQ(config.diffusion.scheduler.prediction_type, diffusion::PredictionType::kVPrediction);
  EXPECT_EQ(config.diffusion.loss, DiffusionLoss::kSdseg);
  EXPECT_EQ(config.data.mask_suffix, "_segmentation");
  EXPECT_EQ(config.train.learning_rate, 1e-4);
}

TEST_F(ConfigFiles, NoIsAWordHoweverItIsWritten) {
  for (const std::string value : {"no", "'no'", "\"no\""}) {
    const auto file = write("a.yaml", "train:\n  mixed_precision: " + value + "\n");
    EXPECT_EQ(load_config(file).train.mixed_precision, Precision::kFloat32) << value;
  }
  const auto file = write("a.yaml", "train: {mixed_precision: bf16}\n");
  EXPECT_EQ(load_config(file).train.mixed_precision, Precision::kBFloat16);
}

TEST_F(ConfigFiles, OverridesWinAndListsComeInTwoForms) {
  const auto file = write("a.yaml", "seed: 1\nmodel: {unet: {channel_mult: [1, 1, 1, 1]}}\n");
  for (const std::string list : {"1,2,2,2", "[1, 2, 2, 2]"}) {
    const Config config =
        load_config(file, {"seed=2", "model.unet.channel_mult=" + list, "seed=3"});
    EXPECT_EQ(config.seed, 3U);
    EXPECT_EQ(config.model.unet.channel_mult, (std::vector<std::int64_t>{1, 2, 2, 2}));
  }
  const Config config = load_config(file, {"data.root=some/where", "model.autoencoder.weights=x"});
  EXPECT_EQ(config.data.root, fs::current_path() / "some/where");
  EXPECT_EQ(config.model.autoencoder_weights, std::vector<fs::path>{fs::current_path() / "x"});
}

TEST_F(ConfigFiles, PathsAreRelativeToTheFileThatHoldsThem) {
  const Config config = load_config(write(
      "deep/a.yaml", "data: {root: ../images/}\noutput: {dir: runs/x}\nmodel: {pretrained: }\n"));
  EXPECT_EQ(config.data.root, folder_ / "images");
  EXPECT_EQ(config.output.dir, folder_ / "deep/runs/x");
  EXPECT_TRUE(config.model.pretrained.empty());
}

TEST_F(ConfigFiles, OriginsTellFileLineAndOverride) {
  write("base.yaml", "seed: 5\ntrain:\n  log_steps: 7\n  weight_decay: 0.1\n");
  const auto file = write("refuge.yaml", "base: base.yaml\ntrain:\n\n  log_steps: 8\n");
  const Resolved resolved = resolve(file, {"train.learning_rate=1e-3"});
  const auto origin = [&](const std::string& key) {
    return without_folder(resolved.origins.at(key));
  };
  EXPECT_EQ(origin("seed"), "base.yaml:1");
  EXPECT_EQ(origin("train.log_steps"), "refuge.yaml:4");
  EXPECT_EQ(origin("train.weight_decay"), "base.yaml:4");
  EXPECT_EQ(origin("train.learning_rate"), "--set");
  EXPECT_EQ(origin("task"), "default");
  EXPECT_EQ(resolved.config.train.log_steps, 8);

  const std::string dump = without_folder(dump_with_origins(resolved));
  EXPECT_NE(dump.find("\nseed: 5  # base.yaml:1\n"), std::string::npos);
  EXPECT_NE(dump.find("\n  learning_rate: 0.001  # --set\n"), std::string::npos);
  EXPECT_EQ(dump.find("task: segmentation  # default\n"), 0U);
}

TEST_F(ConfigFiles, BasesMayHaveBasesInOtherFolders) {
  write("shared/a.yaml", "seed: 1\ndata: {root: images}\ntrain: {log_steps: 3}\n");
  write("shared/b.yaml", "base: a.yaml\nseed: 2\n");
  const Config config =
      load_config(write("c.yaml", "base: shared/b.yaml\ntrain: {log_steps: 4}\n"));
  EXPECT_EQ(config.seed, 2U);
  EXPECT_EQ(config.data.root, folder_ / "shared/images");
  EXPECT_EQ(config.train.log_steps, 4);
}

TEST_F(ConfigFiles, VariablesAreExpanded) {
  const ScopedVariable set("LEAF_TEST_A", "/data");
  const ScopedVariable relative("LEAF_TEST_B", "near");
  const ScopedVariable empty("LEAF_TEST_C", "");
  const ScopedVariable unset("LEAF_TEST_D", std::nullopt);
  const auto root = [&](const std::string& text) {
    return load_config(write("a.yaml", "data: {root: \"" + text + "\"}\n")).data.root;
  };
  EXPECT_EQ(root("${LEAF_TEST_A}/x"), "/data/x");
  EXPECT_EQ(root("/r${LEAF_TEST_A}${LEAF_TEST_A}"), "/r/data/data");
  EXPECT_EQ(root("${LEAF_TEST_A:-/other}/x"), "/data/x");
  EXPECT_EQ(root("${LEAF_TEST_C:-/other}/x"), "/other/x");
  EXPECT_EQ(root("${LEAF_TEST_D:-/other}/x"), "/other/x");
  EXPECT_EQ(root("${LEAF_TEST_D:-../other}/x"), folder_.path().parent_path() / "other/x");
  EXPECT_EQ(root("${LEAF_TEST_B}/x"), fs::current_path() / "near/x");
  EXPECT_EQ(root("/a/$${B}/$x"), "/a/${B}/$x");
  EXPECT_EQ(load_config({}, {"data.root=${LEAF_TEST_A}/y"}).data.root, "/data/y");
}

TEST_F(ConfigFiles, AVariableThatIsNotSetIsRemembered) {
  const auto variable = [&](const std::optional<std::string>& value,
                            const std::vector<std::string>& overrides = {}) {
    const ScopedVariable scoped("LEAF_TEST_A", value);
    const auto unset =
        resolve(write("a.yaml", "data: {root: \"${LEAF_TEST_A:-/other}/x\"}\n"), overrides)
            .unset_variables;
    return unset.contains("data.root") ? unset.at("data.root") : "";
  };
  EXPECT_EQ(variable(std::nullopt), "LEAF_TEST_A");
  EXPECT_EQ(variable(""), "LEAF_TEST_A");
  EXPECT_EQ(variable("/data"), "");
  EXPECT_EQ(variable(std::nullopt, {"data.root=/y"}), "");
}

TEST_F(ConfigFiles, ADumpLoadsBackToAnEqualConfiguration) {
  const auto file = write("a.yaml", R"(
seed: 7
model: {init: random, autoencoder: {scaling_factor: 0.1234567890123456, weights: ["a b.pth", c.pth]}}
data: {root: "/x/$${y}/\"z\": #1", mask_suffix: "no", mask_prefix: "a\\b\t"}
train: {learning_rate: 3.3333333333333335e-05, mixed_precision: no}
)");
  Config config = load_config(file, {"validation.threshold=0.1", "data.images=true"});
  EXPECT_EQ(config.data.root, "/x/${y}/\"z\": #1");
  EXPECT_EQ(config.data.mask_prefix, "a\\b\t");
  config.data.masks = "a\n\t\r\x1b\x7f\"\\${x}";
  const Config again = load_config(write("b.yaml", dump_yaml(config)));
  EXPECT_EQ(again.data.masks, config.data.masks);
  EXPECT_EQ(dump_yaml(again), dump_yaml(config));
  EXPECT_EQ(again.model.autoencoder.scaling_factor, 0.1234567890123456);
  EXPECT_EQ(again.train.learning_rate, config.train.learning_rate);
  EXPECT_EQ(again.data.root, config.data.root);
  EXPECT_EQ(again.data.mask_suffix, "no");
  EXPECT_EQ(again.data.mask_prefix, config.data.mask_prefix);
  EXPECT_EQ(again.model.autoencoder_weights, config.model.autoencoder_weights);
  const auto with_origins = write("c.yaml", dump_with_origins(resolve(file)));
  EXPECT_EQ(dump_yaml(load_config(with_origins)), dump_yaml(load_config(file)));
}

TEST(Overrides, APathThatExistsIsOnePathWhateverItsLetters) {
  const test::TemporaryFolder folder;
  write_file(folder / "a,b.pth", "");
  const fs::path here = fs::current_path();
  fs::current_path(folder.path());
  const auto weights_of = [](const std::string& value) {
    return load_config("", {"model.autoencoder.weights=" + value}).model.autoencoder_weights;
  };
  const auto one = weights_of("a,b.pth");
  const auto two = weights_of("a,c.pth");
  fs::current_path(here);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one.front().filename(), "a,b.pth");
  EXPECT_EQ(two.size(), 2U);
}

TEST(ShippedConfigs, AllLoad) {
  const ScopedVariable data("LEAF_DATA_DIR", std::nullopt);
  const ScopedVariable weights("LEAF_WEIGHTS_DIR", std::nullopt);
  int count = 0;
  for (const auto& item : fs::recursive_directory_iterator(fs::path(LEAF_SOURCE_DIR) / "configs")) {
    if (item.path().extension() != ".yaml") {
      continue;
    }
    const bool is_table = read_file(item.path()).find("\nrows:") != std::string::npos;
    if (!is_table) {
      const Resolved resolved = resolve(item.path());
      EXPECT_TRUE(resolved.warnings.empty())
          << item.path() << ": " << join(resolved.warnings, "; ");
      ++count;
    }
  }
  EXPECT_GE(count, 21);
}

TEST(ShippedConfigs, HaveThePublishedValues) {
  const ScopedVariable data("LEAF_DATA_DIR", "/data");
  const ScopedVariable weights("LEAF_WEIGHTS_DIR", std::nullopt);
  const fs::path root = LEAF_SOURCE_DIR;
  const Config cvc = load_config(root / "configs/cvc.yaml");
  EXPECT_EQ(cvc.alignment.lambda, 1.0);
  EXPECT_EQ(cvc.data.root, "/data/CVC-ClinicDB");
  EXPECT_EQ(cvc.output.dir, root / "runs/cvc");
  EXPECT_EQ(cvc.model.pretrained, root / "weights/leaf-start");
  EXPECT_EQ(cvc.train.mixed_precision, Precision::kBFloat16);
  EXPECT_EQ(load_config(root / "configs/refuge.yaml").alignment.lambda, 0.75);
  EXPECT_EQ(load_config(root / "configs/qata.yaml").alignment.lambda, 1.25);
  EXPECT_EQ(load_config(root / "configs/isic2018.yaml").alignment.lambda, 0.25);
  const Config code = load_config(root / "configs/published/cvc.yaml");
  EXPECT_EQ(code.alignment.lambda, 0.75);
  EXPECT_EQ(code.alignment.reduction, CosineReduction::kReference);
  EXPECT_EQ(code.data.split.strategy, data::SplitStrategy::kPublished);
  EXPECT_EQ(cvc.alignment.reduction, CosineReduction::kMean);
  const Config sdseg = load_config(root / "configs/sdseg/cvc.yaml");
  EXPECT_EQ(sdseg.model.unet_widening, models::InputWidening::kZeros);
  EXPECT_TRUE(sdseg.model.scale_by_std);
  EXPECT_EQ(sdseg.diffusion.mask_latent, MaskLatent::kSample);
  EXPECT_EQ(sdseg.diffusion.scheduler.prediction_type, diffusion::PredictionType::kEpsilon);
  EXPECT_EQ(sdseg.train.max_grad_norm, 0);
  EXPECT_EQ(sdseg.alignment.teacher, "none");
  const Config small = load_config(root / "configs/small/cvc.yaml");
  EXPECT_EQ(small.data.split.groups, "/data/CVC-ClinicDB/sequences.csv");
  EXPECT_EQ(small.model.unet.in_channels, 64);
}

TEST(LoadConfig, TheMiniatureLightModelsFitTheirTeachers) {
  const fs::path folder = fs::path(LEAF_SOURCE_DIR) / "configs/miniature";
  for (const auto& [teacher_file, light_file] :
       {std::pair("light_teacher.yaml", "light_isic2018.yaml"),
        {"light_cvc_teacher.yaml", "light_cvc.yaml"}}) {
    const Config teacher = load_config(folder / teacher_file);
    const Config light = load_config(folder / light_file);
    EXPECT_EQ(light.task, Task::kDistill);
    EXPECT_EQ(light.model.teacher, teacher.output.dir);
    EXPECT_EQ(light.data.resolution, 256);
    EXPECT_EQ(light.data.root, teacher.data.root);
    EXPECT_EQ(light.data.split.validation, teacher.data.split.validation);
    EXPECT_EQ(light.seed, teacher.seed);
    EXPECT_EQ(light.model.autoencoder.widths.size(), teacher.model.autoencoder.ch_mult.size());
    EXPECT_EQ(light.model.autoencoder.latent_channels, teacher.model.autoencoder.latent_channels);
  }
}

}  // namespace leaf::config
