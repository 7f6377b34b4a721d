#include "frozen_networks.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "cached_features.h"
#include "hash.h"
#include "leaf/core/device.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "losses/losses.h"
#include "models/autoencoder_kl.h"
#include "nn/module.h"

namespace leaf {

FrozenNetworks::FrozenNetworks(const Config& config, c10::Device device,
                               std::shared_ptr<models::Autoencoder> autoencoder,
                               std::shared_ptr<models::Teacher> teacher)
    : config_(config),
      device_(device),
      codec_(config.data.classes),
      autoencoder_(std::move(autoencoder)),
      encoder_(autoencoder_->encoder()),
      teacher_(std::move(teacher)) {}

void FrozenNetworks::round_weights() {
  if (config_.train.mixed_precision == Precision::kFloat32) {
    return;
  }
  encoder_ = models::make_latent_encoder(config_.model.autoencoder, /*dropout=*/0);
  nn::copy_parameters(*autoencoder_->encoder(), *encoder_);
  nn::freeze(*encoder_);
  encoder_->to(device_);
  nn::to_channels_last(*encoder_);
  const at::ScalarType type = type_of(config_.train.mixed_precision);
  nn::round_weights(*encoder_, type);
  if (teacher_) {
    nn::round_weights(*teacher_, type);
  }
}

Features FrozenNetworks::features(const at::Tensor& images, const at::Tensor& masks) const {
  Features features{mask_latents(masks), {}};
  if (teacher_) {
    const std::int64_t side = features[kMaskLatents].size(2) / 2;
    features[kTeacherTokens] = teacher_->tokens(
        to_device(images, device_).contiguous(at::MemoryFormat::ChannelsLast), side);
  }
  return features;
}

bool FrozenNetworks::samples() const {
  return config_.diffusion.mask_latent == MaskLatent::kSample;
}

/// The scaled latents, float32 [N, L, r, r]; of those to be sampled, mean and standard deviation
/// [N, 2L, r, r].
at::Tensor FrozenNetworks::mask_latents(const at::Tensor& masks) const {
  const at::Tensor pictures = codec_.to_image(to_device(masks, device_));
  if (!samples()) {
    return encoder_->encode(pictures).to(at::kFloat);
  }
  const auto& encoder = dynamic_cast<const models::KlLatentEncoder&>(*encoder_);
  const auto halves = encoder.moments(pictures).to(at::kFloat).chunk(2, 1);
  const at::Tensor deviation = (0.5 * losses::clamped_log_variance(halves[1])).exp();
  return at::cat({halves[0], deviation}, 1) * config_.model.autoencoder.scaling_factor;
}

at::Tensor FrozenNetworks::latents(const Features& features, std::int64_t step) const {
  if (!samples()) {
    return features[kMaskLatents];
  }
  const auto halves = features[kMaskLatents].chunk(2, 1);
  const auto shape = halves[0].sizes();
  std::vector<at::Tensor> noise;
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    noise.push_back(
        normal_tensor(shape.slice(1), RandomStream(config_.seed, Purpose::kPosterior, step, i)));
  }
  return halves[0] + halves[1] * to_device(at::stack(noise), halves[0].device());
}

/// How labels become the mask's image, where there is more than one way.
std::string FrozenNetworks::coding_identity() const {
  const data::MaskClasses& classes = config_.data.classes;
  return classes.several()
             ? leaf::str(", ", classes.list.size(), " classes as ", enum_text(classes.coding))
             : "";
}

std::string FrozenNetworks::identity() const {
  const models::AutoencoderConfig& autoencoder = config_.model.autoencoder;
  return leaf::str(arithmetic_identity(config_, device_, group()), ", autoencoder ",
                   enum_text(autoencoder.type), " ", autoencoder.scaling_factor, " ",
                   enum_text(config_.diffusion.mask_latent), " ", weights_hash(*autoencoder_),
                   ", teacher ",
                   teacher_ ? config_.alignment.teacher + " " + weights_hash(*teacher_) : "none",
                   coding_identity());
}

std::int64_t FrozenNetworks::group() const {
  return CachedFeatures::group_size(config_.train.train_batch_size);
}

}  // namespace leaf
