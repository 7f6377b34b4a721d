#include "models/unet.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "models/parts.h"
#include "ops/attention.h"

namespace leaf::models {
namespace {

constexpr double kUNetNormEps = 1e-5;

std::shared_ptr<nn::Group> add_group(torch::nn::Module& owner, const char* name) {
  return owner.register_module(name, std::make_shared<nn::Group>());
}

}  // namespace

UNetResidualBlock::UNetResidualBlock(std::int64_t in_channels, std::int64_t out_channels,
                                     std::int64_t embedding, double dropout, Resample resample)
    : dropout_(dropout), resample_(resample) {
  auto in_layers = add_group(*this, "in_layers");
  in_norm_ = in_layers->register_module("0", make_norm(in_channels, kUNetNormEps));
  in_conv_ = in_layers->register_module("2", make_conv(in_channels, out_channels));
  emb_linear_ =
      add_group(*this, "emb_layers")
          ->register_module("1", std::make_shared<nn::Linear>(embedding, 2 * out_channels));
  auto out_layers = add_group(*this, "out_layers");
  out_norm_ = out_layers->register_module("0", make_norm(out_channels, kUNetNormEps));
  out_conv_ =
      out_layers->register_module("3", make_conv(out_channels, out_channels, /*zero_init=*/true));
  if (in_channels != out_channels) {
    skip_connection_ = register_module(
        "skip_connection", std::make_shared<nn::Conv2d>(nn::pointwise(in_channels, out_channels)));
  }
}

at::Tensor UNetResidualBlock::resampled(const at::Tensor& x) const {
  switch (resample_) {
    case Resample::kDown:
      return at::avg_pool2d(x, {2, 2});
    case Resample::kUp:
      return ops::upsample_nearest_2x(x);
    case Resample::kNone:
      break;
  }
  return x;
}

at::Tensor UNetResidualBlock::scale_shift(const TimeCondition& time) const {
  return time.folded >= 0 ? folded_.narrow(0, time.folded, 1)
                          : emb_linear_->forward(at::silu(time.embedding));
}

void UNetResidualBlock::fold(const at::Tensor& embeddings) {
  folded_ = scale_shift({.embedding = embeddings});
}

at::Tensor UNetResidualBlock::shortcut(const at::Tensor& x) const {
  const at::Tensor skip = resampled(x);
  return skip_connection_ ? skip_connection_->forward(skip) : skip;
}

at::Tensor UNetResidualBlock::entered(const at::Tensor& x) const {
  return resample_ == Resample::kDown
             ? in_conv_->forward(resampled(in_norm_->forward_silu(x)))
             : in_conv_->forward(
                   x, {.norm = in_norm_->then_silu(), .upsample = resample_ == Resample::kUp});
}

ops::ConvContext UNetResidualBlock::around_second(const TimeCondition& time) const {
  const auto parts = scale_shift(time).chunk(2, 1);
  const ops::ScaleShift modulation{.scale = parts[0], .shift = parts[1]};
  return {.norm = out_norm_->then_silu(modulation), .dropout = is_training() ? dropout_ : 0};
}

at::Tensor UNetResidualBlock::forward(const at::Tensor& x, const TimeCondition& time) const {
  if (recomputes()) {
    const auto inside = [this](const std::vector<at::Tensor>& inputs) {
      return out_conv_->forward(entered(inputs[0]), around_second({.embedding = inputs[1]}));
    };
    const at::Tensor h = recomputed(inside, {x, time.embedding});
    return h + shortcut(x);
  }
  const at::Tensor h = entered(x);
  ops::ConvContext context = around_second(time);
  context.residual = shortcut(x);
  return out_conv_->forward(h, context);
}

UNetAttentionBlock::UNetAttentionBlock(std::int64_t channels, std::int64_t num_heads)
    : num_heads_(num_heads) {
  norm_ = register_module("norm", make_norm(channels, kUNetNormEps));
  qkv_ = register_module("qkv", std::make_shared<nn::TokenConv1d>(channels, 3 * channels));
  proj_out_ = register_module(
      "proj_out", std::make_shared<nn::TokenConv1d>(channels, channels, /*zero_init=*/true));
}

at::Tensor UNetAttentionBlock::attended(const at::Tensor& x) const {
  const std::int64_t tokens = x.size(2) * x.size(3);
  const std::int64_t head_dim = x.size(1) / num_heads_;
  // [N, T, heads, 3, d]: heads are split before q, k, v ("legacy" attention order).
  const at::Tensor qkv = qkv_->forward(nn::to_tokens(norm_->forward(x)))
                             .reshape({x.size(0), tokens, num_heads_, 3, head_dim});
  const auto part = [&](std::int64_t i) { return qkv.select(3, i).transpose(1, 2); };
  const at::Tensor h = proj_out_->forward(ops::attention(part(0), part(1), part(2)));
  return nn::from_tokens(h, x.size(2), x.size(3));
}

at::Tensor UNetAttentionBlock::forward(const at::Tensor& x) const {
  const auto inside = [this](const std::vector<at::Tensor>& inputs) { return attended(inputs[0]); };
  return x + (recomputes() ? recomputed(inside, {x}) : attended(x));
}

void UNetStage::add(std::shared_ptr<nn::Conv2d> conv) {
  register_module(std::to_string(steps_.size()), conv);
  steps_.push_back([conv](const at::Tensor& x, const TimeCondition&) { return conv->forward(x); });
}

void UNetStage::add(std::shared_ptr<UNetResidualBlock> block) {
  register_module(std::to_string(steps_.size()), block);
  steps_.push_back(
      [block](const at::Tensor& x, const TimeCondition& time) { return block->forward(x, time); });
}

void UNetStage::add(std::shared_ptr<UNetAttentionBlock> attention) {
  register_module(std::to_string(steps_.size()), attention);
  steps_.push_back(
      [attention](const at::Tensor& x, const TimeCondition&) { return attention->forward(x); });
}

at::Tensor UNetStage::forward(at::Tensor x, const TimeCondition& time,
                              const nn::Recorder& recorder) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    x = recorder.record(i, steps_[i](x, time));
  }
  return x;
}

UNet::UNet(const UNetConfig& config) : config_(config) {
  const std::int64_t embedding = 4 * config.model_channels;
  auto time_embed = add_group(*this, "time_embed");
  time_embed_0_ = time_embed->register_module(
      "0", std::make_shared<nn::Linear>(config.model_channels, embedding));
  time_embed_2_ =
      time_embed->register_module("2", std::make_shared<nn::Linear>(embedding, embedding));

  build_input_blocks(*add_group(*this, "input_blocks"));
  const std::int64_t deepest = config.model_channels * config.channel_mult.back();
  middle_block_ = register_module("middle_block", std::make_shared<UNetStage>());
  middle_block_->add(make_block(deepest, deepest));
  middle_block_->add(std::make_shared<UNetAttentionBlock>(deepest, config.num_heads));
  middle_block_->add(make_block(deepest, deepest));
  build_output_blocks(*add_group(*this, "output_blocks"));

  const std::int64_t width = config.model_channels * config.channel_mult.front();
  auto out = add_group(*this, "out");
  out_norm_ = out->register_module("0", make_norm(width, kUNetNormEps));
  out_conv_ = out->register_module("2", make_conv(width, config.out_channels, /*zero_init=*/true));
}

std::shared_ptr<UNetResidualBlock> UNet::make_block(std::int64_t in_channels,
                                                    std::int64_t out_channels,
                                                    Resample resample) const {
  return std::make_shared<UNetResidualBlock>(in_channels, out_channels, 4 * config_.model_channels,
                                             config_.dropout, resample);
}

bool UNet::has_attention(std::int64_t downsampling_rate) const {
  return std::find(config_.attention_resolutions.begin(), config_.attention_resolutions.end(),
                   downsampling_rate) != config_.attention_resolutions.end();
}

void UNet::build_input_blocks(nn::Group& group) {
  const auto add_stage = [&](std::int64_t channels) {
    auto stage =
        group.register_module(std::to_string(input_blocks_.size()), std::make_shared<UNetStage>());
    input_blocks_.push_back(stage);
    skip_channels_.push_back(channels);
    return stage;
  };
  std::int64_t channels = config_.model_channels;
  std::int64_t rate = 1;
  add_stage(channels)->add(make_conv(config_.in_channels, channels));
  for (std::size_t level = 0; level < config_.channel_mult.size(); ++level) {
    const std::int64_t width = config_.model_channels * config_.channel_mult[level];
    for (std::int64_t i = 0; i < config_.num_res_blocks; ++i) {
      auto stage = add_stage(width);
      stage->add(make_block(channels, width));
      channels = width;
      if (has_attention(rate)) {
        stage->add(std::make_shared<UNetAttentionBlock>(channels, config_.num_heads));
      }
    }
    if (level + 1 < config_.channel_mult.size()) {
      add_stage(channels)->add(make_block(channels, channels, Resample::kDown));
      rate *= 2;
    }
  }
}

void UNet::build_output_blocks(nn::Group& group) {
  std::int64_t channels = config_.model_channels * config_.channel_mult.back();
  std::int64_t rate = std::int64_t{1} << (config_.channel_mult.size() - 1);
  for (std::size_t level = config_.channel_mult.size(); level-- > 0;) {
    const std::int64_t width = config_.model_channels * config_.channel_mult[level];
    for (std::int64_t i = 0; i <= config_.num_res_blocks; ++i) {
      auto stage = group.register_module(std::to_string(output_blocks_.size()),
                                         std::make_shared<UNetStage>());
      output_blocks_.push_back(stage);
      stage->add(make_block(channels + skip_channels_.back(), width));
      skip_channels_.pop_back();
      channels = width;
      if (has_attention(rate)) {
        stage->add(std::make_shared<UNetAttentionBlock>(channels, config_.num_heads));
      }
      if (level > 0 && i == config_.num_res_blocks) {
        stage->add(make_block(channels, channels, Resample::kUp));
        rate /= 2;
      }
    }
  }
}

at::Tensor UNet::embed(const at::Tensor& timestep) const {
  return time_embed_2_->forward(
      at::silu(time_embed_0_->forward(timestep_embedding(timestep, config_.model_channels))));
}

TimeCondition UNet::condition(const at::Tensor& timestep) const {
  if (!folded_timesteps_.empty() && timestep.device().is_cpu()) {
    const auto first = timestep[0].item<std::int64_t>();
    const auto found = std::find(folded_timesteps_.begin(), folded_timesteps_.end(), first);
    if (found != folded_timesteps_.end() && (timestep == first).all().item<bool>()) {
      return {.embedding = {}, .folded = found - folded_timesteps_.begin()};
    }
  }
  return {.embedding = embed(timestep)};
}

void UNet::fold_timesteps(const std::vector<std::int64_t>& timesteps) {
  const at::NoGradGuard no_grad;
  const at::Tensor embeddings = embed(at::tensor(timesteps, at::kLong));
  for (const auto& part : modules(/*include_self=*/false)) {
    if (auto* block = dynamic_cast<UNetResidualBlock*>(part.get())) {
      block->fold(embeddings);
    }
  }
  folded_timesteps_ = timesteps;
}

at::Tensor UNet::forward(const at::Tensor& x, const at::Tensor& timestep,
                         nn::Activations* activations) const {
  const nn::Recorder recorder(activations);
  const nn::Recorder inputs = recorder.inside("input_blocks");
  const nn::Recorder outputs = recorder.inside("output_blocks");
  const TimeCondition time =
      activations == nullptr ? condition(timestep) : TimeCondition{.embedding = embed(timestep)};
  recorder.record("time_embed", time.embedding);
  std::vector<at::Tensor> skips;
  at::Tensor h = x;
  for (std::size_t i = 0; i < input_blocks_.size(); ++i) {
    h = inputs.record(i, input_blocks_[i]->forward(h, time, inputs.inside(i)));
    skips.push_back(h);
  }
  h = middle_block_->forward(h, time, recorder.inside("middle_block"));
  recorder.record("middle_block", h);
  for (std::size_t i = 0; i < output_blocks_.size(); ++i) {
    at::Tensor joined = at::cat({h, skips.back()}, 1);
    skips.pop_back();
    h = outputs.record(i, output_blocks_[i]->forward(std::move(joined), time, outputs.inside(i)));
  }
  return recorder.record("out", out_conv_->forward(h, {.norm = out_norm_->then_silu()}));
}

AlignmentTap alignment_tap(const UNetConfig& config) {
  // Block 0 is the first convolution, then come num_res_blocks of level 0, then the downsampling
  // block.
  return {.name = "input_blocks." + std::to_string(1 + config.num_res_blocks),
          .channels = config.model_channels * config.channel_mult.front()};
}

at::Tensor timestep_embedding(const at::Tensor& timestep, std::int64_t dim) {
  constexpr double kMaxPeriod = 10000.0;
  const std::int64_t half = dim / 2;
  const auto options = timestep.options().dtype(at::kFloat);
  const at::Tensor frequencies =
      at::exp(at::arange(half, options) * (-std::log(kMaxPeriod) / static_cast<double>(half)));
  const at::Tensor angles = timestep.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  return at::cat({angles.cos(), angles.sin()}, 1);
}

at::Tensor widen_input(const at::Tensor& weight, InputWidening how) {
  return how == InputWidening::kZeros ? at::cat({at::zeros_like(weight), weight}, 1)
                                      : at::cat({weight, weight}, 1) * 0.5;
}

}  // namespace leaf::models
