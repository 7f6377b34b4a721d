#include "pipeline/model/stored_weights.h"

#include <ATen/ATen.h>

#include "core/json.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

at::ScalarType scalar_type(WeightType type) {
  switch (type) {
    case WeightType::kFloat16:
      return at::kHalf;
    case WeightType::kBFloat16:
      return at::kBFloat16;
    case WeightType::kFloat32:
      break;
  }
  return at::kFloat;
}

}  // namespace

void load_part(torch::nn::Module& module, const fs::path& folder) {
  io::move_parameters(module, io::read_weights(folder), folder.string());
}

io::TensorMap stored_as(const io::TensorMap& tensors, WeightType type) {
  io::TensorMap stored;
  for (const auto& [name, tensor] : tensors) {
    const at::ScalarType wanted = tensor.dim() == 0 ? tensor.scalar_type() : scalar_type(type);
    const at::Tensor& narrow = stored.emplace(name, tensor.to(wanted)).first->second;
    if (type == WeightType::kFloat16 &&
        at::isinf(narrow).logical_and(at::isfinite(tensor)).any().item<bool>()) {
      throw WeightsError(str("'", name, "' has numbers beyond float16; store the model in ",
                             enum_text(WeightType::kBFloat16)));
    }
  }
  return stored;
}

void write_json(const fs::path& path, const json& content) {
  // Paths need not be UTF-8, JSON must be.
  write_file(path, json_text(content, 2) + "\n");
}

void save_teacher(const fs::path& folder, const json& config, const io::TensorMap& tensors) {
  replace_folder(folder, [&](const fs::path& target) {
    write_json(target / "config.json", config);
    io::write_safetensors(target / io::kTransformersWeights, tensors);
  });
}

}  // namespace leaf
