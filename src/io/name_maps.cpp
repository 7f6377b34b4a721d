#include "leaf/io/name_maps.h"

#include <cctype>
#include <string>

namespace leaf::io {
namespace {

bool starts_with_position(const std::string& name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) != 0;
}

}  // namespace

TensorMap tiny_autoencoder_names(const TensorMap& tensors) {
  // Position 0 of a decoder is tanh(x/3)*3, which has no parameters.
  const bool encoder = tensors.contains("0.weight");
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    if (!starts_with_position(name)) {
      renamed[name] = tensor;
      continue;
    }
    const std::size_t dot = name.find('.');
    const int position = std::stoi(name.substr(0, dot));
    const std::string rest = name.substr(dot == std::string::npos ? name.size() : dot);
    renamed[encoder ? "encoder.layers." + std::to_string(position) + rest
                    : "decoder.layers." + std::to_string(position - 1) + rest] = tensor;
  }
  return renamed;
}

TensorMap vision_transformer_names(const TensorMap& tensors) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    if (name == "mask_token" || name.starts_with("head.") || name.starts_with("fc_norm.")) {
      continue;
    }
    renamed[name == "reg_token" ? "register_tokens" : name] = tensor;
  }
  return renamed;
}

}  // namespace leaf::io
