#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/autoencoder.h"
#include "nn/layers.h"

namespace leaf::models {

/// A network that is a list of steps whose keys are their positions: `layers.N` (diffusers'
/// AutoencoderTiny). Steps without parameters take a position as well.
class TinySequence : public torch::nn::Module {
 public:
  /// x -> the output of the last step
  at::Tensor forward(at::Tensor x) const;

 protected:
  TinySequence();
  void add_conv(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride,
                bool bias);
  void add_conv_relu(std::int64_t in_channels, std::int64_t out_channels);
  void add_upsampled_conv(std::int64_t in_channels, std::int64_t out_channels);
  void add_block(std::int64_t channels, bool pool);

 private:
  void add_conv_in(const nn::Conv2dOptions& options, const ops::ConvContext& context);
  /// The position of a step that the convolution beside it does.
  void add_place();

  std::shared_ptr<nn::Group> layers_;
  std::vector<std::function<at::Tensor(const at::Tensor&)>> steps_;
};

/// image [N, 3, H, W] in [0, 1] -> latent [N, L, H/f, W/f]
class TinyEncoder : public TinySequence {
 public:
  explicit TinyEncoder(const AutoencoderConfig& config);
};

/// latent [N, L, h, w] -> image [N, 3, f*h, f*w] in about [0, 1]. Positions as in diffusers, where
/// the first step's tanh(x/3)*3 has none.
class TinyDecoder : public TinySequence {
 public:
  explicit TinyDecoder(const AutoencoderConfig& config);
};

/// The encoder of a tiny autoencoder (the TAESD family): of masks, and the trained one of images.
/// Key: encoder.
class TinyLatentEncoder : public LatentEncoder {
 public:
  explicit TinyLatentEncoder(const AutoencoderConfig& config);
  at::Tensor encode(const at::Tensor& image) override;

 private:
  std::shared_ptr<TinyEncoder> encoder_;
};

/// The decoder of a tiny autoencoder, about 50 times cheaper than that of KL-8, whose latents,
/// times their scaling factor, the original TAESD decodes too. Key: decoder.
class TinyLatentDecoder : public LatentDecoder {
 public:
  explicit TinyLatentDecoder(const AutoencoderConfig& config);
  at::Tensor decode(const at::Tensor& latent) override;
  /// The same, not clamped (training).
  at::Tensor decode_raw(const at::Tensor& latent) const;

 private:
  std::shared_ptr<TinyDecoder> decoder_;
};

}  // namespace leaf::models
