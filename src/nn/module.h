#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

namespace leaf::nn {

/// A module that owns parameters of its own. They are allocated, not initialised: weights are
/// either loaded (a full-size model must load in seconds) or drawn by `initialise`.
class Layer : public torch::nn::Module {
 public:
  /// Draws fresh parameters, in PyTorch's default way unless the layer says otherwise.
  virtual void reset_parameters(at::Generator generator) = 0;
};

/// A node of the name tree without parameters or computation of its own: `in_layers` in the
/// checkpoint key `in_layers.0.weight`.
class Group : public torch::nn::Module {};

/// Draws all parameters below `root` that belong to a Layer. Each tensor's values depend on the
/// seed and its own name alone.
void initialise(torch::nn::Module& root, std::uint64_t seed);

/// Copies the parameters of `from` to those of the same name in `to`. Every parameter of `to` must
/// exist in `from` with the same shape (throws WeightsError otherwise).
void copy_parameters(const torch::nn::Module& from, torch::nn::Module& to);

/// Turns gradients off for every parameter and switches to evaluation mode.
void freeze(torch::nn::Module& module);

/// Stores every 4-D weight channels-last, the layout in which LibTorch's CPU and CUDA convolutions
/// run best (Module::to has no memory format in C++).
void to_channels_last(torch::nn::Module& module);

/// Stores the weights of convolutions and linear layers in `type`, which autocast would convert
/// them to at every call; biases, normalisations and embeddings stay float32. Results are the same
/// to the bit. Such a module can no longer be trained or saved.
void round_weights(torch::nn::Module& module, at::ScalarType type);

}  // namespace leaf::nn
