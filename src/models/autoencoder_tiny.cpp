#include "models/autoencoder_tiny.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace leaf::models {
namespace {

/// 1x1 to four times the width, GroupNorm(4), ReLU and back, without biases. Keys 0, 1, 3.
class TinyPool : public torch::nn::Module {
 public:
  explicit TinyPool(std::int64_t channels) {
    constexpr std::int64_t kGroups = 4;
    constexpr double kEps = 1e-5;
    expand_ = register_module(
        "0", std::make_shared<nn::Conv2d>(nn::pointwise(channels, 4 * channels, /*bias=*/false)));
    norm_ = register_module("1", std::make_shared<nn::GroupNorm>(kGroups, 4 * channels, kEps));
    reduce_ = register_module(
        "3", std::make_shared<nn::Conv2d>(nn::pointwise(4 * channels, channels, /*bias=*/false)));
  }

  /// x [N, C, H, W] -> same shape
  at::Tensor forward(const at::Tensor& x) const {
    return reduce_->forward(at::relu(norm_->forward(expand_->forward(x))));
  }

 private:
  std::shared_ptr<nn::Conv2d> expand_, reduce_;
  std::shared_ptr<nn::GroupNorm> norm_;
};

/// Three 3x3 convolutions with ReLU and a skip; the taef2 variant adds a pooling branch first. Keys
/// conv.{0,2,4} and pool.{0,1,3}.
class TinyBlock : public torch::nn::Module {
 public:
  TinyBlock(std::int64_t channels, bool pool) {
    if (pool) {
      pool_ = register_module("pool", std::make_shared<TinyPool>(channels));
    }
    auto conv = register_module("conv", std::make_shared<nn::Group>());
    for (const char* position : {"0", "2", "4"}) {
      convs_.push_back(
          conv->register_module(position, std::make_shared<nn::Conv2d>(nn::Conv2dOptions{
                                              .in_channels = channels, .out_channels = channels})));
    }
  }

  /// x [N, C, H, W] -> same shape
  at::Tensor forward(const at::Tensor& input) const {
    const at::Tensor x = pool_ ? input + pool_->forward(input) : input;
    const at::Tensor h = convs_[1]->forward(convs_[0]->forward(x, {.relu = true}), {.relu = true});
    return convs_[2]->forward(h, {.residual = x, .relu = true});
  }

 private:
  std::vector<std::shared_ptr<nn::Conv2d>> convs_;
  std::shared_ptr<TinyPool> pool_;
};

/// The blocks at the latent's size pool, in the variant that does.
bool pools(const AutoencoderConfig& config, std::size_t level) {
  return config.variant == TinyVariant::kTaef2 && level + 1 == config.widths.size();
}

}  // namespace

TinySequence::TinySequence() : layers_(register_module("layers", std::make_shared<nn::Group>())) {}

at::Tensor TinySequence::forward(at::Tensor x) const {
  for (const auto& step : steps_) {
    x = step(x);
  }
  return x;
}

void TinySequence::add_conv(std::int64_t in_channels, std::int64_t out_channels,
                            std::int64_t stride, bool bias) {
  add_conv_in(
      {.in_channels = in_channels, .out_channels = out_channels, .stride = stride, .bias = bias},
      {});
}

void TinySequence::add_conv_relu(std::int64_t in_channels, std::int64_t out_channels) {
  add_conv_in({.in_channels = in_channels, .out_channels = out_channels}, {.relu = true});
  add_place();  // the ReLU's
}

void TinySequence::add_upsampled_conv(std::int64_t in_channels, std::int64_t out_channels) {
  add_place();  // the upsampling's
  add_conv_in({.in_channels = in_channels, .out_channels = out_channels, .bias = false},
              {.upsample = true});
}

void TinySequence::add_block(std::int64_t channels, bool pool) {
  const auto block = std::make_shared<TinyBlock>(channels, pool);
  layers_->register_module(std::to_string(steps_.size()), block);
  steps_.push_back([block](const at::Tensor& x) { return block->forward(x); });
}

void TinySequence::add_conv_in(const nn::Conv2dOptions& options, const ops::ConvContext& context) {
  const auto conv = std::make_shared<nn::Conv2d>(options);
  layers_->register_module(std::to_string(steps_.size()), conv);
  steps_.push_back([conv, context](const at::Tensor& x) { return conv->forward(x, context); });
}

void TinySequence::add_place() {
  steps_.push_back([](const at::Tensor& x) { return x; });
}

TinyEncoder::TinyEncoder(const AutoencoderConfig& config) {
  const auto& widths = config.widths;
  add_conv(3, widths.front(), 1, true);
  add_block(widths.front(), false);
  for (std::size_t level = 1; level < widths.size(); ++level) {
    add_conv(widths[level - 1], widths[level], 2, false);
    for (std::int64_t block = 0; block < config.blocks; ++block) {
      add_block(widths[level], pools(config, level));
    }
  }
  add_conv(widths.back(), config.latent_channels, 1, true);
}

TinyDecoder::TinyDecoder(const AutoencoderConfig& config) {
  const auto& widths = config.widths;
  add_conv_relu(config.latent_channels, widths.back());
  for (std::size_t level = widths.size() - 1; level > 0; --level) {
    for (std::int64_t block = 0; block < config.blocks; ++block) {
      add_block(widths[level], pools(config, level));
    }
    add_upsampled_conv(widths[level], widths[level - 1]);
  }
  add_block(widths.front(), false);
  add_conv(widths.front(), 3, 1, true);
}

TinyLatentEncoder::TinyLatentEncoder(const AutoencoderConfig& config)
    : encoder_(register_module("encoder", std::make_shared<TinyEncoder>(config))) {}

at::Tensor TinyLatentEncoder::encode(const at::Tensor& image) { return encoder_->forward(image); }

TinyLatentDecoder::TinyLatentDecoder(const AutoencoderConfig& config)
    : decoder_(register_module("decoder", std::make_shared<TinyDecoder>(config))) {}

at::Tensor TinyLatentDecoder::decode(const at::Tensor& latent) {
  return clamp_image(decode_raw(latent));
}

at::Tensor TinyLatentDecoder::decode_raw(const at::Tensor& latent) const {
  return decoder_->forward(at::tanh(latent / 3) * 3);
}

}  // namespace leaf::models
