#include "leaf/io/weights.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "leaf/core/strings.h"

namespace leaf::io {

TensorMap state_dict(const torch::nn::Module& module) {
  TensorMap tensors;
  for (const auto& item : module.named_parameters()) {
    tensors.emplace(item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers()) {
    tensors.emplace(item.key(), item.value().detach());
  }
  return tensors;
}

std::int64_t parameter_count(const TensorMap& tensors) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    count += tensor.numel();
  }
  return count;
}

TensorMap with_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    renamed.emplace(str(prefix, name), tensor);
  }
  return renamed;
}

TensorMap strip_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap selected;
  for (auto it = tensors.lower_bound(std::string(prefix));
       it != tensors.end() && it->first.starts_with(prefix); ++it) {
    selected.emplace(it->first.substr(prefix.size()), it->second);
  }
  return selected;
}

}  // namespace leaf::io
