#include "networks.h"

#include <ATen/ATen.h>

#include "hash.h"
#include "leaf/io/weights.h"

namespace leaf {
namespace {

std::string prefix_of(const TaskNetwork& network) { return network.name + "."; }
std::string average_prefix_of(const TaskNetwork& network) { return network.name + "_ema."; }

}  // namespace

void place(const TaskNetworks& networks, c10::Device device) {
  const auto move = [&](torch::nn::Module& module) {
    module.to(device);
    nn::to_channels_last(module);
  };
  for (const TaskNetwork& network : networks) {
    if (!network.learned) {
      nn::freeze(*network.module);
    }
    if (network.average) {
      nn::copy_parameters(*network.module, *network.average);
      nn::freeze(*network.average);
      move(*network.average);
    }
    move(*network.module);
  }
}

NamedParameters learned_parameters(const TaskNetworks& networks) {
  NamedParameters parameters;
  for (const TaskNetwork& network : networks) {
    if (network.learned) {
      for (const auto& item : network.module->named_parameters()) {
        parameters.emplace_back(prefix_of(network) + item.key(), item.value());
      }
    }
  }
  return parameters;
}

void set_training(const TaskNetworks& networks, bool training) {
  for (const TaskNetwork& network : networks) {
    if (network.learned) {
      network.module->train(training);
    }
  }
}

void update_averages(const TaskNetworks& networks, double decay) {
  for (const TaskNetwork& network : networks) {
    if (network.average) {
      update_average(network.average->parameters(), network.module->parameters(), decay);
    }
  }
}

std::string frozen_hash(const TaskNetworks& networks) {
  std::string hashes;
  for (const TaskNetwork& network : networks) {
    hashes += network.saved ? "" : network.name + " " + weights_hash(*network.module) + "\n";
  }
  if (hashes.empty()) {
    return {};
  }
  Hasher hasher;
  hasher.add(hashes);
  return hex_text(hasher.digest());
}

io::TensorMap state_of(const TaskNetworks& networks) {
  io::TensorMap state;
  for (const TaskNetwork& network : networks) {
    if (network.saved) {
      state.merge(io::with_prefix(io::state_dict(*network.module), prefix_of(network)));
    }
    if (network.average) {
      state.merge(io::with_prefix(io::state_dict(*network.average), average_prefix_of(network)));
    }
  }
  return state;
}

void load_state(const TaskNetworks& networks, const io::TensorMap& state) {
  const auto restore = [&](torch::nn::Module& module, const std::string& prefix) {
    io::load_parameters(module, io::strip_prefix(state, prefix), "the checkpoint");
  };
  for (const TaskNetwork& network : networks) {
    if (network.saved) {
      restore(*network.module, prefix_of(network));
    }
    if (network.average) {
      restore(*network.average, average_prefix_of(network));
    }
  }
}

}  // namespace leaf
