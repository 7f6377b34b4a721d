#include "support/golden.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdlib>

#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "models/autoencoder.h"
#include "models/unet.h"

namespace leaf::test {

std::filesystem::path golden_fixture() {
  const char* moved = std::getenv("LEAF_FIXTURES");  // of a test that runs on another machine
  return std::filesystem::path(moved != nullptr ? moved : LEAF_FIXTURES) / "golden_small";
}

std::optional<std::filesystem::path> golden_folder(const std::string& part) {
  const char* root = std::getenv("LEAF_GOLDEN_DIR");
  if (root == nullptr || !std::filesystem::is_directory(std::filesystem::path(root) / part)) {
    return std::nullopt;
  }
  return std::filesystem::path(root) / part;
}

at::Tensor formula_values(const std::string& name, at::IntArrayRef shape, std::uint64_t seed) {
  at::Tensor values = at::empty(shape, at::kDouble);
  auto* data = values.mutable_data_ptr<double>();
  const std::uint64_t start = fnv1a64(name) ^ seed;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::uint64_t z = start + static_cast<std::uint64_t>(i + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    data[i] = static_cast<double>(z >> 40) / 8388608.0 - 1.0;
  }
  return values;
}

void fill_by_formula(torch::nn::Module& module, const std::string& prefix) {
  const at::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    at::Tensor& parameter = item.value();
    const at::Tensor u = formula_values(prefix + item.key(), parameter.sizes());
    if (parameter.dim() >= 2) {
      const double fan_in =
          static_cast<double>(parameter.numel()) / static_cast<double>(parameter.size(0));
      const auto scale = static_cast<float>(std::sqrt(3.0 / fan_in));
      parameter.copy_(u.to(at::kFloat) * scale);
    } else if (item.key().ends_with("weight")) {
      parameter.copy_(1 + 0.1 * u);
    } else {
      parameter.copy_(0.05 * u);
    }
  }
}

ModelDescription small_golden_description() {
  ModelDescription description;
  description.autoencoder.ch = 32;
  description.autoencoder.ch_mult = {1, 1, 2, 2};
  description.unet.model_channels = 32;
  description.unet.channel_mult = {1, 1, 2, 2, 2};
  return description;
}

TrainingModel formula_model(const ModelDescription& description) {
  TrainingModel model = make_model(description);
  fill_by_formula(*model.autoencoder, "vae.");
  fill_by_formula(*model.latent_encoder, "latent_encoder.");
  fill_by_formula(*model.unet, "unet.");
  return model;
}

io::TensorMap golden_activations(const std::filesystem::path& folder) {
  io::TensorMap recorded = io::read_safetensors(folder / "activations.safetensors");
  const std::int64_t samples = recorded.at("input.timestep").size(0);
  for (auto& [name, tensor] : recorded) {
    tensor = tensor.narrow(0, 0, samples);
  }
  return recorded;
}

}  // namespace leaf::test
