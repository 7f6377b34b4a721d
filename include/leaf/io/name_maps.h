#pragma once

#include "leaf/io/tensor_map.h"

namespace leaf::io {

/// Tiny autoencoder state dicts of the TAESD family, whose keys are bare positions
/// ("1.conv.0.weight"), one file per half -> diffusers' AutoencoderTiny names
/// ("encoder.layers.1.conv.0.weight"). Files that carry such names already come back unchanged. A
/// decoder's first position has no layer in diffusers.
TensorMap tiny_autoencoder_names(const TensorMap& tensors);

/// Vision transformers in DINOv2's and timm's form -> the names of models::VisionTransformer: what
/// a teacher does not need (mask token, classification head) is dropped, timm's `reg_token`
/// renamed.
TensorMap vision_transformer_names(const TensorMap& tensors);

}  // namespace leaf::io
