#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <optional>
#include <string>

#include "leaf/io/tensor_map.h"
#include "leaf/pipeline/model.h"
#include "leaf/pipeline/verify.h"

namespace leaf::test {

/// The committed part of the small golden numbers (tests/parity/make_golden_fixture.py).
std::filesystem::path golden_fixture();

/// The folder `part` ("small") of the complete golden numbers, LEAF_GOLDEN_DIR; nothing without it.
std::optional<std::filesystem::path> golden_folder(const std::string& part);

/// The values that the golden numbers' weights are made of: u(name, i) in [-1, 1).
at::Tensor formula_values(const std::string& name, at::IntArrayRef shape, std::uint64_t seed = 1);

/// Fills every parameter of `module` by the formula; `prefix` ("unet.") precedes the names.
void fill_by_formula(torch::nn::Module& module, const std::string& prefix);

/// The small golden numbers' model, filled by the formula where `formula_model` makes it.
ModelDescription small_golden_description();
TrainingModel formula_model(const ModelDescription& description);

/// The activations of a folder of golden numbers, all with as many samples as there are timesteps
/// (the fixture holds more of those that the training test reads).
io::TensorMap golden_activations(const std::filesystem::path& folder);

using leaf::relative_error;

}  // namespace leaf::test
