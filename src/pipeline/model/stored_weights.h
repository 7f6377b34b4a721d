#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "leaf/io/tensor_map.h"
#include "leaf/pipeline/model.h"

namespace torch::nn {
class Module;
}

namespace leaf {

/// Tensors as they are stored; throws WeightsError when a finite number of one is beyond the type.
io::TensorMap stored_as(const io::TensorMap& tensors, WeightType type);

/// Gives a network the weights in its folder of a model.
void load_part(torch::nn::Module& module, const std::filesystem::path& folder);

/// Writes a JSON file, indented for readers.
void write_json(const std::filesystem::path& path, const nlohmann::json& content);

/// `_class_name` in the config.json of our teacher folders.
inline constexpr const char* kTeacherClass = "VisionTransformer";

/// Writes a teacher's folder, complete or not at all: config.json and model.safetensors.
void save_teacher(const std::filesystem::path& folder, const nlohmann::json& config,
                  const io::TensorMap& tensors);

}  // namespace leaf
