#include "pipeline/model/split_autoencoder.h"

#include <ATen/core/Tensor.h>

#include <utility>

namespace leaf {

AutoencoderHalves split_autoencoder(io::TensorMap autoencoder) {
  AutoencoderHalves halves;
  for (auto& [name, tensor] : autoencoder) {
    const bool encodes = name.starts_with("encoder.") || name.starts_with("quant_conv.");
    (encodes ? halves.encoder : halves.decoder).emplace(name, std::move(tensor));
  }
  return halves;
}

}  // namespace leaf
