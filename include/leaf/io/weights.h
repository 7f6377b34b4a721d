#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/io/tensor_map.h"

namespace torch::nn {
class Module;
}

namespace leaf::io {

/// What a folder's weights are called by diffusers, and in a model's parts; and by transformers.
inline constexpr const char* kDiffusersWeights = "diffusion_pytorch_model.safetensors";
inline constexpr const char* kTransformersWeights = "model.safetensors";

/// The tensors of any supported weight file, told apart by content: safetensors, the index of a
/// sharded safetensors model (*.index.json), a PyTorch zip checkpoint, a TorchScript archive (its
/// code stays unread), or a folder that holds diffusion_pytorch_model.safetensors or
/// model.safetensors (or their index), or else diffusion_pytorch_model.bin or pytorch_model.bin.
/// Names lose what torch.compile ("_orig_mod.") and data-parallel training ("module." before all)
/// put into them. WeightsError names the path and what was expected, or what stands there in place
/// of weights (a pointer of Git LFS, a web page).
TensorMap read_weights(const std::filesystem::path& path);

/// Tensors that do not fit a module. The message names a few; `details()` all.
class WeightsMismatch : public WeightsError {
 public:
  WeightsMismatch(const std::string& message, std::vector<std::string> details)
      : WeightsError(message), details_(std::move(details)) {}

  /// One line for each tensor: "missing: NAME", "unexpected: NAME", "of another shape: NAME: [2, 4]
  /// instead of [2, 3]".
  const std::vector<std::string>& details() const { return details_; }

 private:
  std::vector<std::string> details_;
};

/// Copies every tensor into the parameter or buffer of the same name, converting to its type and
/// device. Names and shapes must match exactly: otherwise nothing is copied and one
/// WeightsMismatch lists the missing, unexpected and misshapen ones. `source` says in its message
/// where `tensors` came from.
void load_parameters(torch::nn::Module& module, const TensorMap& tensors,
                     const std::string& source);

/// The same, letting go of each tensor once it is copied, so that a mapped file's pages leave
/// memory as fast as they are needed: for whoever has no further use for `tensors`.
void move_parameters(torch::nn::Module& module, TensorMap&& tensors, const std::string& source);

/// All parameters and buffers of the module by name; they share its memory and carry no gradient.
TensorMap state_dict(const torch::nn::Module& module);

/// Number of scalars in all.
std::int64_t parameter_count(const TensorMap& tensors);

/// The same tensors with `prefix` put before every name.
TensorMap with_prefix(const TensorMap& tensors, std::string_view prefix);

/// The tensors whose names start with `prefix`, under the rest of their names.
TensorMap strip_prefix(const TensorMap& tensors, std::string_view prefix);

}  // namespace leaf::io
