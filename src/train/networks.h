#pragma once

#include <memory>
#include <string>
#include <vector>

#include "leaf/core/device.h"
#include "leaf/io/tensor_map.h"
#include "nn/module.h"
#include "train/optimizer.h"

namespace leaf {

/// A network of a training task, and what becomes of it.
struct TaskNetwork {
  /// Stands before its parameters' names: "unet" in "unet.out.2.weight".
  std::string name;
  std::shared_ptr<torch::nn::Module> module;
  bool learned = false;  ///< by the optimizer; frozen otherwise
  bool saved = false;    ///< in checkpoints
  /// The moving average of its parameters, saved as NAME_ema; null without.
  std::shared_ptr<torch::nn::Module> average = nullptr;
};
using TaskNetworks = std::vector<TaskNetwork>;

/// Freezes what does not learn, starts averages as copies, and moves everything to the device.
void place(const TaskNetworks& networks, c10::Device device);

/// The parameters that the optimizer updates, named as in checkpoints, in the order of the list.
NamedParameters learned_parameters(const TaskNetworks& networks);

/// Switches what learns to training or to evaluation.
void set_training(const TaskNetworks& networks, bool training);

/// One step of the moving averages.
void update_averages(const TaskNetworks& networks, double decay);

/// The hash of the networks that are not saved, as hex_text; empty without any.
std::string frozen_hash(const TaskNetworks& networks);

/// What is saved of the networks. load_state restores it; throws WeightsError where it does not
/// fit.
io::TensorMap state_of(const TaskNetworks& networks);
void load_state(const TaskNetworks& networks, const io::TensorMap& state);

}  // namespace leaf
