#include <vector>

// Tiny autoencoders: diffusers' AutoencoderTiny (our names) and the TAESD family, whose keys are
// bare positions. TAESD counts the decoder's tanh(x/3)*3, which has no parameters, as position 0.
#include "format.h"

namespace leaf::io::names {
namespace {

template <WeightPart part>
KnownWeights read_diffusers(const TensorMap& tensors, const Reading& reading) {
  return sort_into({{part, {{"*", "*"}}}}, tensors, reading);
}

KnownWeights read_taesd(const TensorMap& tensors, const Reading& reading) {
  return sort_into(
      {{WeightPart::kAutoencoder,
        {{"encoder.{i}.*", "encoder.layers.{i}.*"}, {"decoder.{i}.*", "decoder.layers.{i-1}.*"}}}},
      tensors, reading);
}

KnownWeights read_encoder(const TensorMap& tensors, const Reading& reading) {
  return sort_into({{WeightPart::kAutoencoder, {{"{i}.*", "encoder.layers.{i}.*"}}}}, tensors,
                   reading);
}

KnownWeights read_decoder(const TensorMap& tensors, const Reading& reading) {
  return sort_into({{WeightPart::kAutoencoder, {{"{i}.*", "decoder.layers.{i-1}.*"}}}}, tensors,
                   reading);
}

}  // namespace

std::vector<Format> tiny_autoencoder_formats() {
  return {{"AutoencoderTiny (diffusers, LEAF)",
           {"encoder.layers.0.weight", "decoder.layers.0.weight"},
           read_diffusers<WeightPart::kAutoencoder>},
          {"AutoencoderTiny (diffusers, LEAF), decoder half",
           {"decoder.layers.0.weight"},
           read_diffusers<WeightPart::kAutoencoder>},
          {"tiny latent encoder (LEAF)",
           {"encoder.layers.0.weight", "encoder.layers.1.conv.0.weight"},
           read_diffusers<WeightPart::kLatentEncoder>},
          {"TAESD", {"encoder.0.weight", "decoder.1.weight"}, read_taesd},
          {"TAESD, encoder half", {"0.weight", "1.conv.0.weight"}, read_encoder},
          {"TAESD, decoder half", {"1.weight", "3.conv.0.weight"}, read_decoder}};
}

}  // namespace leaf::io::names
