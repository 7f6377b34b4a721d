#pragma once

#include "leaf/io/tensor_map.h"

namespace leaf {

/// The tensors of an autoencoder (`vae`), sorted into its two networks.
struct AutoencoderHalves {
  io::TensorMap encoder;  ///< models::LatentEncoder's
  io::TensorMap decoder;  ///< models::LatentDecoder's, and what belongs to neither
};

AutoencoderHalves split_autoencoder(io::TensorMap autoencoder);

}  // namespace leaf
