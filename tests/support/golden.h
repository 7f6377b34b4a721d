#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <optional>
#include <string>

namespace leaf::test {

/// The committed part of the small golden numbers (tests/parity/make_golden_fixture.py).
std::filesystem::path golden_fixture();

/// The folder `part` ("small") of the complete golden numbers, LEAF_GOLDEN_DIR; nothing without it.
std::optional<std::filesystem::path> golden_folder(const std::string& part);

/// The values that the golden numbers' weights are made of: u(name, i) in [-1, 1).
at::Tensor formula_values(const std::string& name, at::IntArrayRef shape, std::uint64_t seed = 1);

/// Fills every parameter of `module` by the formula; `prefix` ("unet.") precedes the names.
void fill_by_formula(torch::nn::Module& module, const std::string& prefix);

/// ||ours - theirs|| / ||theirs||, in double.
double relative_error(const at::Tensor& ours, const at::Tensor& theirs);

}  // namespace leaf::test
