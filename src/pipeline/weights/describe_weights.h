#pragma once

#include <string>
#include <vector>

#include "leaf/io/tensor_map.h"
#include "leaf/models/model_config.h"

namespace leaf::models {
struct VisionTransformerConfig;
}

namespace leaf {

/// What the names and shapes of a network's tensors, under our names, say about its configuration.
/// `source` is where they came from, for the WeightsError that names a tensor which a network of
/// the kind cannot lack. What tensors do not tell keeps its default; whether all of them fit is
/// found out by loading them.

/// Kind, widths, levels, latent channels; not the scaling factor. A latent encoder's tensors will
/// do, as the encoder decides.
models::AutoencoderConfig describe_autoencoder(const io::TensorMap& tensors,
                                               const std::string& source);

/// The same of a decoder's tensors alone.
models::AutoencoderConfig describe_decoder(const io::TensorMap& tensors, const std::string& source);

/// Everything but the number of heads and the dropout. Throws WeightsError for networks that UNet
/// cannot be: text-conditioned ones, and those that resample by plain convolutions.
models::UNetConfig describe_unet(const io::TensorMap& tensors, const std::string& source);

/// The shape. The number of heads is a guess (of 64 channels each); activation, the norms' epsilon
/// and the images' normalisation keep their defaults: the registry's entry of that shape knows
/// them.
models::VisionTransformerConfig describe_vision_transformer(const io::TensorMap& tensors,
                                                            const std::string& source);

/// The teachers of the registry (`alignment.teacher`) that have the same shape.
std::vector<std::string> teachers_of_shape(const models::VisionTransformerConfig& config);

}  // namespace leaf
