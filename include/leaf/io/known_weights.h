#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/io/tensor_map.h"

namespace leaf::io {

/// A network that weights belong to. A decoder by itself is told to be (half of) an autoencoder:
/// only who asks for it makes it kDecoder.
enum class WeightPart { kAutoencoder, kLatentEncoder, kUNet, kDecoder, kTeacher };
inline EnumNames<WeightPart> enum_names(WeightPart /*tag*/) {
  return {{WeightPart::kAutoencoder, "autoencoder"},
          {WeightPart::kLatentEncoder, "latent_encoder"},
          {WeightPart::kUNet, "unet"},
          {WeightPart::kDecoder, "decoder"},
          {WeightPart::kTeacher, "teacher"}};
}

/// A file's tensors sorted into networks, under the names of our modules. Each of the file's
/// tensors is in a part, in `unused`, or read (the scaling factor).
struct KnownWeights {
  /// For people: "CompVis latent diffusion", "DINOv2 (Hugging Face)", ...
  std::string format;
  /// The networks that are there, names as in models::Autoencoder,
  /// KlLatentEncoder or TinyLatentEncoder, UNet, VisionTransformer. A tensor inside a network that
  /// has no counterpart in ours keeps its name, so that loading reports it. Tensors are views of
  /// the input but for what is joined (q, k and v) or computed.
  std::map<WeightPart, TensorMap> parts;
  /// The file's names of tensors that none of our networks has (loss.*, schedule buffers,
  /// mask_token, a text tower) or that another copy stands for (model_ema.*), sorted.
  std::vector<std::string> unused;
  /// Of the latents, where the file states one (SDSeg).
  std::optional<double> scaling_factor;
  /// The U-Net is the exponential moving average.
  bool ema = false;
};

struct RecogniseOptions {
  /// Takes the exponential moving average of the U-Net where the file holds one.
  bool prefer_ema = false;
};

/// Tells by the names what `tensors` are: CompVis latent diffusion checkpoints, autoencoders and
/// U-Nets, LEAF's parts, SDSeg, diffusers' AutoencoderKL and AutoencoderTiny, TAESD, DINOv2
/// (original, Hugging Face, timm), vision transformers of timm, MAE, CLIP vision towers (OpenAI,
/// open_clip, Hugging Face); below common prefixes ("module.", "model.", "teacher.backbone.") as
/// well. Throws WeightsError, naming `source`, if no format fits.
KnownWeights recognise(const TensorMap& tensors, const std::string& source,
                       const RecogniseOptions& options = {});

/// The other direction, for export: the names of models::AutoencoderKL -> diffusers' AutoencoderKL
/// (1x1 convolutions of attention become Linear). A tiny autoencoder's names are diffusers' already
/// and stay.
TensorMap to_diffusers_autoencoder(const TensorMap& tensors);

/// The networks of a complete model, under our names.
struct ModelTensors {
  TensorMap unet, autoencoder, latent_encoder;
  double scaling_factor = 1;  ///< of the latents
};

/// A state that SDSeg loads, as recognise() reads it: the mask's latent before the image's in the
/// U-Net's first convolution, the U-Net once more as its moving average, an image encoder that ends
/// in the latent itself, and the factor. Of KL autoencoders alone.
TensorMap to_sdseg(const ModelTensors& model);

}  // namespace leaf::io
