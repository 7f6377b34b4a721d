// Networks of Python packages, under their own names: what we make of their weights computes what
// they computed (tests/parity/make_*_fixtures.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "models/vision_transformer.h"
#include "nn/module.h"
#include "support/golden.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Errors relative to the output's norm. Published sizes are up to 40 blocks deep.
constexpr double kTolerance = 1e-5;
constexpr double kPublishedTolerance = 1e-4;

/// The metadata of a safetensors file. Only the file's beginning is read: it may hold gigabytes.
Json metadata_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof(length));
  std::string header(length, '\0');
  file.read(header.data(), static_cast<std::streamsize>(length));
  return Json::parse(header).at("__metadata__");
}

/// Weights that the fixture does not hold: {name: [shape, mean, half width]}, as parity_fixtures.py
/// draws them.
io::TensorMap draw(const Json& drawn) {
  io::TensorMap weights;
  for (const auto& [name, entry] : drawn.items()) {
    const auto shape = entry[0].get<std::vector<std::int64_t>>();
    const at::Tensor values = test::formula_values(name, shape);
    weights[name] = (entry[1].get<double>() + entry[2].get<double>() * values).to(at::kFloat);
  }
  return weights;
}

struct Fixture {
  explicit Fixture(const fs::path& path) : tensors(io::read_safetensors(path)) {
    const Json metadata = metadata_of(path);
    configuration = Json::parse(metadata.at("configuration").get<std::string>());
    weights = metadata.contains("drawn")
                  ? draw(Json::parse(metadata.at("drawn").get<std::string>()))
                  : io::strip_prefix(tensors, "weights.");
    known = io::recognise(weights, path.filename().string());
  }

  Json configuration;
  io::TensorMap tensors, weights;
  io::KnownWeights known;
};

models::VisionTransformerConfig transformer_config(const Json& json) {
  if (json.contains("teacher")) {
    return models::vision_transformer_config(json["teacher"]);
  }
  models::VisionTransformerConfig config{.name = "small"};
  config.width = json["width"];
  config.depth = json["depth"];
  config.num_heads = json["num_heads"];
  config.patch_size = json["patch_size"];
  config.grid = json["grid"];
  config.num_registers = json.value("num_registers", config.num_registers);
  config.layer_scale = json.value("layer_scale", config.layer_scale);
  config.swiglu = json.value("swiglu", config.swiglu);
  config.norm_pre = json.value("norm_pre", config.norm_pre);
  config.quick_gelu = json.value("quick_gelu", config.quick_gelu);
  config.norm_eps = json.value("norm_eps", config.norm_eps);
  return config;
}

models::AutoencoderConfig autoencoder_config(const Json& json) {
  models::AutoencoderConfig config;
  config.type = parse_enum<models::AutoencoderType>(json["type"], "type");
  config.latent_channels = json["latent_channels"];
  config.ch = json.value("ch", config.ch);
  config.ch_mult = json.value("ch_mult", config.ch_mult);
  config.num_res_blocks = json.value("num_res_blocks", config.num_res_blocks);
  config.scaling_factor = 1.0;
  return config;
}

/// `module` with those weights, for inference.
template <typename M>
std::shared_ptr<M> loaded(std::shared_ptr<M> module, const Fixture& fixture, io::WeightPart part) {
  io::load_parameters(*module, fixture.known.parts.at(part), fixture.known.format);
  nn::freeze(*module);
  return module;
}

std::shared_ptr<models::Autoencoder> loaded_autoencoder(const Fixture& fixture) {
  return loaded(models::make_autoencoder(autoencoder_config(fixture.configuration)), fixture,
                io::WeightPart::kAutoencoder);
}

void expect_same(const std::string& name, const at::Tensor& ours, const at::Tensor& theirs,
                 double tolerance) {
  ASSERT_EQ(ours.sizes(), theirs.sizes()) << name;
  const double error = test::relative_error(ours, theirs);
  std::cout << "  " << name << "  relative error " << error << "\n";
  testing::Test::RecordProperty("relative_error_" + name, leaf::str(error));
  EXPECT_LE(error, tolerance) << name;
}

void expect_teacher(const Fixture& fixture, double tolerance) {
  const auto teacher =
      loaded(std::make_shared<models::VisionTransformer>(transformer_config(fixture.configuration)),
             fixture, io::WeightPart::kTeacher);
  expect_same("tokens", teacher->forward(fixture.tensors.at("images")),
              fixture.tensors.at("tokens"), tolerance);
}

void expect_kl_autoencoder(const Fixture& fixture, double tolerance) {
  const auto autoencoder = loaded_autoencoder(fixture);
  const auto& encoder = dynamic_cast<const models::KlLatentEncoder&>(*autoencoder->encoder());
  const auto& decoder = dynamic_cast<const models::KlLatentDecoder&>(*autoencoder->decoder());
  const auto& tensors = fixture.tensors;
  expect_same("moments", encoder.moments(tensors.at("images")), tensors.at("moments"), tolerance);
  expect_same("decoded", decoder.decode_raw(tensors.at("latents")), tensors.at("decoded"),
              tolerance);
}

void expect_tiny_autoencoder(const Fixture& fixture, double tolerance) {
  const auto autoencoder = loaded_autoencoder(fixture);
  const auto& tensors = fixture.tensors;
  expect_same("encoded", autoencoder->encoder()->encode(tensors.at("images")),
              tensors.at("encoded"), tolerance);
  expect_same("decoded", autoencoder->decoder()->decode(tensors.at("latents")),
              ((tensors.at("decoded") + 1) / 2).clamp(0, 1), tolerance);
}

void expect_parity(const fs::path& path, double tolerance) {
  SCOPED_TRACE(path.string());
  const Fixture fixture(path);
  std::cout << path.filename().string() << ": " << fixture.known.format << "\n";
  if (fixture.configuration["part"] == "teacher") {
    expect_teacher(fixture, tolerance);
  } else if (fixture.configuration["type"] == "kl") {
    expect_kl_autoencoder(fixture, tolerance);
  } else {
    expect_tiny_autoencoder(fixture, tolerance);
  }
}

fs::path committed(const std::string& name) {
  return fs::path(LEAF_FIXTURES) / "parity" / (name + ".safetensors");
}

class WeightsParity : public testing::TestWithParam<const char*> {};

}  // namespace

TEST_P(WeightsParity, Committed) { expect_parity(committed(GetParam()), kTolerance); }

INSTANTIATE_TEST_SUITE_P(, WeightsParity,
                         testing::Values("timm_vit", "timm_dinov2", "timm_dinov2_giant",
                                         "timm_clip", "dinov2_registers", "dinov2_giant", "mae",
                                         "hf_dinov2", "hf_dinov2_giant", "hf_dinov2_registers",
                                         "hf_clip", "hf_clip_vision", "hf_mae", "open_clip",
                                         "diffusers_kl", "diffusers_kl_old", "diffusers_tiny"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(WeightsParityExport, DiffusersNamesAsTheyWere) {
  const Fixture fixture(committed("diffusers_kl"));
  const io::TensorMap back =
      io::to_diffusers_autoencoder(fixture.known.parts.at(io::WeightPart::kAutoencoder));
  EXPECT_EQ(back.size(), fixture.weights.size());
  for (const auto& [name, tensor] : fixture.weights) {
    ASSERT_TRUE(back.contains(name)) << name;
    EXPECT_TRUE(at::equal(back.at(name), tensor)) << name;
  }
}

/// What scripts/parity.sh made: small networks anew, and each network in its published size.
TEST(WeightsParityFresh, EveryFileOfTheFolder) {
  const char* const folder = std::getenv("LEAF_PARITY_DIR");
  if (folder == nullptr) {
    GTEST_SKIP() << "LEAF_PARITY_DIR is not set (scripts/parity.sh)";
  }
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") {
      paths.push_back(entry.path());
    }
  }
  ASSERT_FALSE(paths.empty()) << "no .safetensors in " << folder;
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    expect_parity(path, kPublishedTolerance);
  }
}

}  // namespace leaf
