#include "models/autoencoder_kl.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include "models/parts.h"
#include "ops/attention.h"

namespace leaf::models {
namespace {

constexpr double kNormEps = 1e-6;

std::shared_ptr<nn::Conv2d> make_pointwise(std::int64_t in_channels, std::int64_t out_channels) {
  return std::make_shared<nn::Conv2d>(nn::pointwise(in_channels, out_channels));
}

}  // namespace

KlResidualBlock::KlResidualBlock(std::int64_t in_channels, std::int64_t out_channels,
                                 double dropout)
    : dropout_(dropout) {
  norm1_ = register_module("norm1", make_norm(in_channels, kNormEps));
  conv1_ = register_module("conv1", make_conv(in_channels, out_channels));
  norm2_ = register_module("norm2", make_norm(out_channels, kNormEps));
  conv2_ = register_module("conv2", make_conv(out_channels, out_channels));
  if (in_channels != out_channels) {
    nin_shortcut_ = register_module("nin_shortcut", make_pointwise(in_channels, out_channels));
  }
}

ops::ConvContext KlResidualBlock::around_second() const {
  return {.norm = norm2_->then_silu(), .dropout = is_training() ? dropout_ : 0};
}

at::Tensor KlResidualBlock::skip(const at::Tensor& x) const {
  return nin_shortcut_ ? nin_shortcut_->forward(x) : x;
}

at::Tensor KlResidualBlock::forward(const at::Tensor& x) const {
  const auto first = [this](const at::Tensor& input) {
    return conv1_->forward(input, {.norm = norm1_->then_silu()});
  };
  if (recomputes()) {
    const auto inside = [this, first](const std::vector<at::Tensor>& inputs) {
      return conv2_->forward(first(inputs[0]), around_second());
    };
    const at::Tensor h = recomputed(inside, {x});
    return h + skip(x);
  }
  const at::Tensor h = first(x);
  ops::ConvContext context = around_second();
  context.residual = skip(x);
  return conv2_->forward(h, context);
}

KlAttentionBlock::KlAttentionBlock(std::int64_t channels) {
  norm_ = register_module("norm", make_norm(channels, kNormEps));
  q_ = register_module("q", make_pointwise(channels, channels));
  k_ = register_module("k", make_pointwise(channels, channels));
  v_ = register_module("v", make_pointwise(channels, channels));
  proj_out_ = register_module("proj_out", make_pointwise(channels, channels));
}

at::Tensor KlAttentionBlock::mixed(const at::Tensor& x) const {
  const at::Tensor h = norm_->forward(x);
  const auto one_head = [](const at::Tensor& map) { return nn::to_tokens(map).unsqueeze(1); };
  const at::Tensor values =
      ops::attention(one_head(q_->forward(h)), one_head(k_->forward(h)), one_head(v_->forward(h)));
  return nn::from_tokens(values, x.size(2), x.size(3));
}

at::Tensor KlAttentionBlock::forward(const at::Tensor& x) const {
  if (recomputes()) {
    const auto inside = [this](const std::vector<at::Tensor>& inputs) {
      return proj_out_->forward(mixed(inputs[0]));
    };
    const at::Tensor h = recomputed(inside, {x});
    return h + x;
  }
  return proj_out_->forward(mixed(x), {.residual = x});
}

KlMiddle::KlMiddle(std::int64_t channels, double dropout) {
  block_1_ =
      register_module("block_1", std::make_shared<KlResidualBlock>(channels, channels, dropout));
  attn_1_ = register_module("attn_1", std::make_shared<KlAttentionBlock>(channels));
  block_2_ =
      register_module("block_2", std::make_shared<KlResidualBlock>(channels, channels, dropout));
}

at::Tensor KlMiddle::forward(const at::Tensor& x, const nn::Recorder& recorder) const {
  at::Tensor h = recorder.record("block_1", block_1_->forward(x));
  h = recorder.record("attn_1", attn_1_->forward(h));
  return recorder.record("block_2", block_2_->forward(h));
}

KlEncoder::KlEncoder(const AutoencoderConfig& config, double dropout) {
  conv_in_ = register_module("conv_in", make_conv(3, config.ch));
  auto down = register_module("down", std::make_shared<nn::Group>());
  std::int64_t channels = config.ch;
  for (std::size_t i = 0; i < config.ch_mult.size(); ++i) {
    auto group = down->register_module(std::to_string(i), std::make_shared<nn::Group>());
    auto block_group = group->register_module("block", std::make_shared<nn::Group>());
    Level& level = levels_.emplace_back();
    for (std::int64_t j = 0; j < config.num_res_blocks; ++j) {
      const std::int64_t width = config.ch * config.ch_mult[i];
      level.blocks.push_back(block_group->register_module(
          std::to_string(j), std::make_shared<KlResidualBlock>(channels, width, dropout)));
      channels = width;
    }
    if (i + 1 < config.ch_mult.size()) {
      auto downsample = group->register_module("downsample", std::make_shared<nn::Group>());
      level.downsample = downsample->register_module(
          "conv", std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = channels,
                                                                 .out_channels = channels,
                                                                 .stride = 2,
                                                                 .padding = 0,
                                                                 .pad_end = 1}));
    }
  }
  mid_ = register_module("mid", std::make_shared<KlMiddle>(channels, dropout));
  norm_out_ = register_module("norm_out", make_norm(channels, kNormEps));
  conv_out_ = register_module("conv_out", make_conv(channels, 2 * config.latent_channels));
}

at::Tensor KlEncoder::forward(const at::Tensor& x, const nn::Recorder& recorder) const {
  at::Tensor h = recorder.record("conv_in", conv_in_->forward(x));
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const nn::Recorder level = recorder.inside("down").inside(i);
    const nn::Recorder blocks = level.inside("block");
    for (std::size_t j = 0; j < levels_[i].blocks.size(); ++j) {
      h = blocks.record(j, levels_[i].blocks[j]->forward(h));
    }
    if (levels_[i].downsample) {
      h = level.record("downsample", levels_[i].downsample->forward(h));
    }
  }
  h = recorder.record("mid", mid_->forward(h, recorder.inside("mid")));
  return recorder.record("conv_out", conv_out_->forward(h, {.norm = norm_out_->then_silu()}));
}

KlDecoder::KlDecoder(const AutoencoderConfig& config) {
  constexpr double kNoDropout = 0.0;
  std::int64_t channels = config.ch * config.ch_mult.back();
  conv_in_ = register_module("conv_in", make_conv(config.latent_channels, channels));
  mid_ = register_module("mid", std::make_shared<KlMiddle>(channels, kNoDropout));
  auto up = register_module("up", std::make_shared<nn::Group>());
  levels_.resize(config.ch_mult.size());
  for (std::size_t i = config.ch_mult.size(); i-- > 0;) {
    auto group = up->register_module(std::to_string(i), std::make_shared<nn::Group>());
    auto block_group = group->register_module("block", std::make_shared<nn::Group>());
    for (std::int64_t j = 0; j <= config.num_res_blocks; ++j) {
      const std::int64_t width = config.ch * config.ch_mult[i];
      levels_[i].blocks.push_back(block_group->register_module(
          std::to_string(j), std::make_shared<KlResidualBlock>(channels, width, kNoDropout)));
      channels = width;
    }
    if (i > 0) {
      auto upsample = group->register_module("upsample", std::make_shared<nn::Group>());
      levels_[i].upsample = upsample->register_module("conv", make_conv(channels, channels));
    }
  }
  norm_out_ = register_module("norm_out", make_norm(channels, kNormEps));
  conv_out_ = register_module("conv_out", make_conv(channels, 3));
}

at::Tensor KlDecoder::forward(const at::Tensor& z, const nn::Recorder& recorder) const {
  at::Tensor h = recorder.record("conv_in", conv_in_->forward(z));
  h = recorder.record("mid", mid_->forward(h, recorder.inside("mid")));
  for (std::size_t i = levels_.size(); i-- > 0;) {
    const nn::Recorder level = recorder.inside("up").inside(i);
    const nn::Recorder blocks = level.inside("block");
    for (std::size_t j = 0; j < levels_[i].blocks.size(); ++j) {
      h = blocks.record(j, levels_[i].blocks[j]->forward(h));
    }
    if (levels_[i].upsample) {
      h = level.record("upsample", levels_[i].upsample->forward(h, {.upsample = true}));
    }
  }
  return recorder.record("conv_out", conv_out_->forward(h, {.norm = norm_out_->then_silu()}));
}

KlLatentEncoder::KlLatentEncoder(const AutoencoderConfig& config, double dropout)
    : encoder_(register_module("encoder", std::make_shared<KlEncoder>(config, dropout))),
      quant_conv_(register_module(
          "quant_conv", make_pointwise(2 * config.latent_channels, 2 * config.latent_channels))),
      latent_channels_(config.latent_channels),
      scaling_factor_(config.scaling_factor) {}

at::Tensor KlLatentEncoder::encode(const at::Tensor& image) {
  return moments(image).narrow(1, 0, latent_channels_) * scaling_factor_;
}

at::Tensor KlLatentEncoder::moments(const at::Tensor& image, nn::Activations* activations) const {
  const nn::Recorder recorder(activations);
  const at::Tensor encoded =
      recorder.record("encoder", encoder_->forward(image * 2 - 1, recorder.inside("encoder")));
  return recorder.record("quant_conv", quant_conv_->forward(encoded));
}

void KlLatentEncoder::rescale(double factor) {
  const at::NoGradGuard no_grad;
  quant_conv_->weight.narrow(0, 0, latent_channels_).mul_(factor);
  quant_conv_->bias.narrow(0, 0, latent_channels_).mul_(factor);
  quant_conv_->bias.narrow(0, latent_channels_, latent_channels_).add_(2 * std::log(factor));
}

KlLatentDecoder::KlLatentDecoder(const AutoencoderConfig& config)
    : post_quant_conv_(register_module(
          "post_quant_conv", make_pointwise(config.latent_channels, config.latent_channels))),
      decoder_(register_module("decoder", std::make_shared<KlDecoder>(config))),
      scaling_factor_(config.scaling_factor) {}

at::Tensor KlLatentDecoder::decode(const at::Tensor& latent) {
  return clamp_image((decode_raw(latent / scaling_factor_) + 1) / 2);
}

at::Tensor KlLatentDecoder::decode_raw(const at::Tensor& latent,
                                       nn::Activations* activations) const {
  const nn::Recorder recorder(activations);
  const at::Tensor z = recorder.record("post_quant_conv", post_quant_conv_->forward(latent));
  return recorder.record("decoder", decoder_->forward(z, recorder.inside("decoder")));
}

void KlLatentDecoder::rescale(double factor) {
  const at::NoGradGuard no_grad;
  post_quant_conv_->weight.div_(factor);
}

}  // namespace leaf::models
