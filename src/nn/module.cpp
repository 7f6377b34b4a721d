#include "nn/module.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"

namespace leaf::nn {

void initialise(torch::nn::Module& root, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (const auto& item : root.named_modules()) {
    if (auto* layer = dynamic_cast<Layer*>(item.value().get())) {
      RandomStream stream(seed, Purpose::kInitialisation, fnv1a64(item.key()));
      layer->reset_parameters(at::detail::createCPUGenerator(stream.next()));
    }
  }
}

void copy_parameters(const torch::nn::Module& from, torch::nn::Module& to) {
  const at::NoGradGuard no_grad;
  const auto source = from.named_parameters();
  for (auto& item : to.named_parameters()) {
    const at::Tensor* value = source.find(item.key());
    if (value == nullptr || value->sizes() != item.value().sizes()) {
      throw WeightsError(str("cannot copy parameter '", item.key(), "': the source has ",
                             value == nullptr ? "none of that name" : "another shape"));
    }
    item.value().copy_(*value);
  }
}

void freeze(torch::nn::Module& module) {
  for (auto& parameter : module.parameters()) {
    parameter.set_requires_grad(false);
  }
  module.eval();
}

void to_channels_last(torch::nn::Module& module) {
  for (auto& parameter : module.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.data().contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

void round_weights(torch::nn::Module& module, at::ScalarType type) {
  for (auto& item : module.named_parameters()) {
    if (at::Tensor& parameter = item.value();
        parameter.dim() >= 2 && item.key().ends_with("weight")) {
      parameter.set_data(parameter.data().to(type));
    }
  }
}

}  // namespace leaf::nn
