// leaf_convert import and export: what the library's own tests leave, the command lines.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "support/golden.h"
#include "tiny_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_usage_error;
using test::Outcome;
using test::run_cpu;
using test::TinyProject;

const std::string kWeights = "diffusion_pytorch_model.safetensors";

std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

/// The model's weights as CompVis' Lightning checkpoints hold them, U-Net and autoencoder.
std::string write_lightning(const TinyProject& project) {
  io::TensorMap tensors =
      io::with_prefix(io::read_weights(project / "model/unet"), "model.diffusion_model.");
  at::Tensor& first = tensors.at("model.diffusion_model.input_blocks.0.0.weight");
  first = first.narrow(1, 0, 4).clone();
  tensors.merge(io::with_prefix(io::read_weights(project / "model/vae"), "first_stage_model."));
  tensors["betas"] = at::zeros({10});
  io::write_safetensors(project / "compvis.safetensors", tensors);
  return project.path("compvis.safetensors");
}

void expect_same_weights(const fs::path& ours, const fs::path& theirs) {
  for (const char* part : {"vae", "unet", "latent_encoder"}) {
    const io::TensorMap expected = io::read_weights(theirs / part);
    const io::TensorMap found = io::read_weights(ours / part);
    EXPECT_EQ(found.size(), expected.size()) << part;
    for (const auto& [name, tensor] : expected) {
      EXPECT_TRUE(found.contains(name) && at::equal(found.at(name), tensor)) << part << name;
    }
  }
}

}  // namespace

TEST(ConvertImport, HelpListsTheOptions) {
  for (const auto& [command, options] : std::map<std::string, std::vector<std::string>>{
           {"import",
            {"--to", "--ema", "--config", "--num-heads", "--teacher", "--init-missing", "--seed",
             "--force"}},
           {"inspect", {"--depth"}},
           {"export", {"--to", "--format", "--dtype", "--force"}},
           {"verify", {"--activations", "--tolerance"}}}) {
    expect_contains(test::run_program("leaf_convert", {command, "--help"}).out, options);
  }
}

TEST(ConvertImport, ForeignWeightsSegment) {
  const TinyProject project;
  project.with_model();
  const Outcome imported =
      run_cpu("leaf_convert", {"import", write_lightning(project), "--ema", "--num-heads", "2",
                               "--to", project.path("start")});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(imported.out, "");
  expect_contains(
      imported.err,
      {"autoencoder of CompVis latent diffusion", "unet of CompVis latent diffusion",
       "holds no moving average of the U-Net", "1 further tensor is not needed (see --verbose)",
       "widened from 4 to 8 channels", "copy of the autoencoder's encoder"});
  const Outcome infer =
      run_cpu("leaf_infer", {"--model", project.path("start"), "--input",
                             project.path("data/images"), "--output", project.path("masks")});
  EXPECT_EQ(infer.exit_code, 0) << infer.err;
}

TEST(ConvertImport, OurOwnModelsComeBackAsTheyWere) {
  const TinyProject project;
  project.with_model();
  for (const char* format : {"leaf", "diffusers"}) {
    const std::string exported = project.path(str("exported-", format));
    const std::string back = project.path(str("back-", format));
    EXPECT_EQ(run_cpu("leaf_convert",
                      {"export", project.path("model"), "--format", format, "--to", exported})
                  .exit_code,
              0);
    const Outcome imported = run_cpu("leaf_convert", {"import", exported, "--to", back});
    EXPECT_EQ(imported.exit_code, 0) << imported.err;
    expect_same_weights(back, project / "model");
    EXPECT_TRUE(read_file(fs::path(back) / "preprocessing.json") ==
                read_file(project / "model/preprocessing.json"));
  }
}

TEST(ConvertImport, ThePublishedFolderComesBackAsItWas) {
  const auto folder = test::golden_folder("small");
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder 'small'";
  }
  const test::TemporaryFolder work;
  const auto path = [&](const char* name) { return (work / name).string(); };
  const Outcome imported = run_cpu(
      "leaf_convert", {"import", (*folder / "pipeline").string(), "--to", path("imported")});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(
      run_cpu("leaf_convert", {"export", path("imported"), "--to", path("exported")}).exit_code, 0);
  expect_same_weights(work / "exported", *folder / "pipeline");
}

TEST(ConvertImport, NarrowWeightsHalveTheFileAndSegment) {
  const TinyProject project;
  project.with_model();
  for (const char* type : {"fp16", "bf16"}) {
    const std::string to = project.path(type);
    const Outcome exported =
        run_cpu("leaf_convert", {"export", project.path("model"), "--dtype", type, "--to", to});
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    EXPECT_LT(fs::file_size(fs::path(to) / "unet" / kWeights),
              fs::file_size(project / "model/unet" / kWeights) * 6 / 10);
    const Outcome infer =
        run_cpu("leaf_infer", {"--model", to, "--input", project.path("data/images"), "--output",
                               project.path(str("masks-", type))});
    EXPECT_EQ(infer.exit_code, 0) << infer.err;
  }
  expect_usage_error(run_cpu("leaf_convert", {"export", project.path("model"), "--dtype", "int8",
                                              "--to", project.path("x")}),
                     "leaf_convert", {"--dtype", "int8", "bf16"});
}

TEST(ConvertImport, WhatDoesNotFitIsListedLineByLine) {
  const TinyProject project;
  project.with_model();
  io::TensorMap unet = io::read_weights(project / "model/unet");
  unet.erase("out.0.bias");
  for (int i = 0; i < 8; ++i) {
    unet[str("out.9.extra", i)] = at::zeros({1});
  }
  io::write_safetensors(project / "unet.safetensors", unet);
  const Outcome imported = run_cpu(
      "leaf_convert", {"import", project.path("unet.safetensors"), (project / "model/vae").string(),
                       "--num-heads", "2", "--quiet", "--to", project.path("start")});
  EXPECT_EQ(imported.exit_code, 2);
  EXPECT_EQ(line_count(imported.err), 10U) << imported.err;
  EXPECT_TRUE(imported.err.starts_with("leaf_convert: error: ")) << imported.err;
  expect_contains(imported.err,
                  {"1 missing (out.0.bias)", "8 unexpected (", "\n  unet: missing: out.0.bias\n",
                   "\n  unet: unexpected: out.9.extra7\n"});
  EXPECT_FALSE(fs::exists(project / "start"));
}

TEST(ConvertImport, MissingNetworksAreErrorsUnlessRandom) {
  const TinyProject project;
  project.with_model();
  const auto run_import = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {"import", (project / "model/unet").string(), "--to", project.path("start")});
    return run_cpu("leaf_convert", more);
  };
  expect_usage_error(run_import({"--quiet"}), "leaf_convert",
                     {"hold no autoencoder", "kl-f8", "--init-missing random"});
  expect_usage_error(run_import({"--quiet", "--seed", "3"}), "leaf_convert",
                     {"--seed is of use with --init-missing random only"});
  const Outcome random =
      run_import({"--init-missing", "random", "--config", project.path("config.yaml")});
  EXPECT_EQ(random.exit_code, 0) << random.err;
  expect_contains(random.err, {"the autoencoder starts from random weights"});
}

TEST(ConvertImport, ReplacesOnlyItsOwnFoldersAndOnlyByForce) {
  const TinyProject project;
  project.with_model();
  const auto run_import = [&](const std::string& to, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"import", (project / "model/vae").string(), "--quiet", "--to", project.path(to)});
    return run_cpu("leaf_convert", more);
  };
  EXPECT_EQ(run_import("start").exit_code, 0);
  EXPECT_TRUE(fs::exists(project / "start/vae" / kWeights));
  expect_usage_error(run_import("start"), "leaf_convert", {"exists", "--force"});
  EXPECT_EQ(run_import("start", {"--force"}).exit_code, 0);
  expect_usage_error(run_import("data", {"--force"}), "leaf_convert", {"is no model folder"});
}

TEST(ConvertImport, OptionsWithoutUseAreErrors) {
  const TinyProject project;
  project.with_model();
  expect_usage_error(run_cpu("leaf_convert", {"import", project.path("model/vae"), "--quiet",
                                              "--num-heads", "4", "--to", project.path("x")}),
                     "leaf_convert", {"--num-heads", "an autoencoder alone"});
  EXPECT_FALSE(fs::exists(project / "x"));
}

TEST(ConvertImport, ALoneAutoencoderIsExported) {
  const TinyProject project;
  project.with_model();
  const auto run_export = [&](const std::string& from, const std::string& to,
                              const std::string& format) {
    const Outcome outcome =
        run_cpu("leaf_convert", {"export", project.path(from), "--format", format, "--dtype",
                                 "fp16", "--to", project.path(to)});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  };
  ASSERT_EQ(
      run_cpu("leaf_convert", {"import", project.path("model/vae"), "--to", project.path("start")})
          .exit_code,
      0);
  run_export("start", "narrow", "leaf");
  run_export("narrow", "theirs", "diffusers");
  EXPECT_EQ(io::read_weights(project / "narrow/vae").at("quant_conv.bias").scalar_type(),
            at::kHalf);
  EXPECT_TRUE(io::read_weights(project / "theirs/vae")
                  .contains("encoder.mid_block.attentions.0.to_q.weight"));
  const Outcome inspected = run_cpu("leaf_convert", {"inspect", project.path("start")});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
  expect_contains(inspected.out, {"\nvae\n", "\ndecoder  ", "autoencoder: "});
}

TEST(ConvertImport, ExportNamesAnotherScaleOfTheLatents) {
  const TinyProject project;
  project.with_model();
  const auto run_export = [&](const std::string& to) {
    return run_cpu("leaf_convert", {"export", project.path("model"), "--to", project.path(to)}).err;
  };
  EXPECT_EQ(run_export("usual").find("scaling factor"), std::string::npos);
  for (const char* part : {"vae", "latent_encoder"}) {
    const fs::path config = project / "model" / part / "config.json";
    auto content = nlohmann::json::parse(read_file(config));
    content["scaling_factor"] = 0.25;
    write_file(config, content.dump());
  }
  expect_contains(run_export("scaled"), {"scaling factor of the latents is 0.25", "vae/config.json",
                                         "scaling_factor=0.25"});
}

TEST(ConvertImport, InspectTellsWhatWeightsAre) {
  const TinyProject project;
  project.with_model();
  const Outcome foreign = run_cpu("leaf_convert", {"inspect", write_lightning(project)});
  expect_contains(foreign.out, {"kind: CompVis latent diffusion\n", "  unet: ", "  autoencoder: ",
                                "  in none of our networks: 1 tensor\n"});
  io::write_safetensors(project / "other.safetensors", {{"a.b", at::zeros({1})}});
  const Outcome other = run_cpu("leaf_convert", {"inspect", project.path("other.safetensors")});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  expect_contains(other.out, {"kind: unknown\n"});
}

TEST(ConvertImport, InspectTakesFoldersThatAreNoModelYet) {
  const TinyProject project;
  project.with_model();
  fs::remove_all(project / "model/vae");
  fs::copy(project / "model/unet", project / "model/unet_ema");
  const Outcome outcome = run_cpu("leaf_convert", {"inspect", project.path("model")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_contains(outcome.out, {"not a model for inference: ", "has no vae", "\nunet_ema\n",
                                "kind: U-Net (CompVis, LEAF)", "kind: latent encoder (LEAF)"});
}

TEST(ConvertImport, LightningFixtureIsReadWithoutItsClasses) {
  const fs::path fixture = fs::path(LEAF_FIXTURES) / "torch_zip/lightning.ckpt";
  const test::TemporaryFolder work;
  const Outcome imported =
      run_cpu("leaf_convert", {"import", fixture.string(), "--to", (work / "x").string()});
  EXPECT_EQ(imported.exit_code, 2);  // no network of ours, but readable
  expect_contains(imported.err, {"lightning.ckpt", "no network known here"});
}

}  // namespace leaf
