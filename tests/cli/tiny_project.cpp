#include "tiny_project.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "leaf/config/load.h"
#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "leaf/train/build_model.h"
#include "leaf_demo_data/phantom.h"
#include "models/unet.h"

namespace leaf::test {
namespace {

/// Fresh networks end in layers of zeros, so that their masks would be the same for every image.
void fill_zeros(torch::nn::Module& module) {
  const at::NoGradGuard no_gradients;
  for (auto& item : module.named_parameters()) {
    at::Tensor& value = item.value();
    if (!value.any().item<bool>()) {
      value.copy_(normal_tensor(value.sizes(),
                                RandomStream(1, Purpose::kInitialisation, fnv1a64(item.key())))
                      .mul(0.2));
    }
  }
}

}  // namespace

TinyProject::TinyProject(std::int64_t images, std::int64_t size, std::int64_t test) {
  const std::string yaml = R"(
model:
  init: random
  autoencoder: {type: kl, ch: 32, ch_mult: [1, 1, 1, 1], num_res_blocks: 1}
  unet:
    model_channels: 32
    channel_mult: [1, 2]
    num_res_blocks: 1
    attention_resolutions: [2]
    num_heads: 2
alignment: {teacher: none}
data:
  root: data
  resolution: 64
  split: {strategy: tail, validation: 1, test: )";
  write_file(folder / "config.yaml", str(yaml, test, "}\n"));
  apps::write_phantoms(folder / "data", images, size, 7);
}

const TinyProject& TinyProject::with_model() const {
  const auto make = [&] {
    TrainingModel model = make_model(describe(config::load_config(folder / "config.yaml")));
    initialise(model, 1);
    fill_zeros(*model.unet);
    return model;
  };
  TrainingModel model = make();
  Model prepared = make();
  prepare_for_inference(prepared, {});
  const Segmenter segmenter(prepared, {});
  const at::Tensor rgb = apps::make_phantom(64, 7, 1).image;
  model.description.preprocessing.threshold =
      segmenter.segment(rgb).probability.median().item<double>();
  save_model(folder / "model", model);
  return *this;
}

void TinyProject::scale_weight(const std::string& part, const std::string& name,
                               double factor) const {
  const auto file = folder / "model" / part / io::kDiffusersWeights;
  io::TensorMap tensors = io::read_safetensors(file);
  for (auto& [key, tensor] : tensors) {
    tensor = key == name ? tensor * factor : tensor.clone();  // apart from the file that is written
  }
  io::write_safetensors(file, tensors);
}

nlohmann::json TinyProject::json(const std::string& name) const {
  return nlohmann::json::parse(read_file(folder / name));
}

Outcome run_cpu(const std::string& name, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--device", "cpu", "--threads", "1"});
  return run_program(name, arguments);
}

void expect_usage_error(const Outcome& outcome, const std::string& name,
                        const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with(name + ": error: ")) << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " in " << outcome.err;
  }
}

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

void expect_help(const std::string& name, const std::vector<std::string>& options) {
  const Outcome help = run_program(name, {"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const std::string& option : options) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option << " in\n" << help.out;
  }
  const Outcome version = run_program(name, {"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("leaf ")) << version.out;
  EXPECT_NE(version.out.find("LibTorch 2."), std::string::npos);
}

}  // namespace leaf::test
